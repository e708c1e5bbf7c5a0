import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { findBarriers, launchBrowser, openPage, sidewaysPx, visit } from './browser.ts';
import { FixtureServer } from './fixtures/fixture-server.ts';
import { makeWorld, presentMs } from './fixtures/world.ts';
import { looks, pictures } from './looks.ts';

const crons = '/shop/storefront/settings/crons';

let server: FixtureServer;
let base: string;
let browser: Browser;

beforeAll(async () => {
  server = new FixtureServer(inject('uiFolder'));
  base = await server.start();
  browser = await launchBrowser();
  await mkdir(pictures, { recursive: true });
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});
beforeEach(() => {
  server.world = makeWorld();
  server.requests.length = 0;
  server.reruns.length = 0;
});

const open = (more: Parameters<typeof openPage>[1] = {}) =>
  openPage(browser, { viewport: { width: 1440, height: 900 }, timezoneId: 'Europe/Berlin', ...more });

describe('the dialog of a cron', () => {
  it.each(looks)('says when it runs in every look: $locale $colorScheme $width', async (options) => {
    const { locale, colorScheme, width } = options;
    const { page, context, problems } = await open({ locale, colorScheme, viewport: { width, height: 1000 } });
    await page.clock.setFixedTime(presentMs);
    await visit(page, base + crons);
    await page.getByRole('button', { name: locale === 'zh-CN' ? '添加定时任务' : 'Add a cron' }).click();
    await page.locator('.dialog .cron-slots li').nth(4).waitFor();
    const look = `${locale.slice(0, 2)}-${colorScheme}-${width}`;
    await page.screenshot({ caret: 'initial', path: join(pictures, `cron-${look}.png`) });
    expect(await findBarriers(page)).toEqual([]);
    await expect.poll(() => sidewaysPx(page)).toBe(0);
    expect(problems).toEqual([]);
    await context.close();
  });

  it('follows what is typed, refuses what is no time, and saves once what is one', async () => {
    const { page, context } = await open();
    await page.clock.setFixedTime(presentMs);
    await visit(page, base + crons);
    await page.getByRole('button', { name: 'Add a cron' }).click();
    const dialog = page.locator('.dialog');
    await dialog.getByLabel('Name').fill('hourly');
    await dialog.getByLabel('Times').fill('61 * * * *');
    await dialog.getByText('its minute 61 is not between 0 and 59').waitFor();
    await dialog.getByLabel('Times').fill('0 3 * * 6');
    await dialog.getByLabel('Time zone').selectOption('Asia/Shanghai');
    await dialog.getByText('At 03:00 on Saturday.').waitFor();
    await dialog.getByText('Sat 2026-11-28 03:00 (UTC+8)').waitFor();
    // 03:00 in Shanghai is the evening before, where this browser is.
    await dialog.getByText('27 Nov 2026', { exact: false }).first().waitFor();
    await dialog.getByLabel('Branch').selectOption('feat/multi-currency');
    await dialog.getByRole('button', { name: 'Save' }).dblclick();
    await page.locator('.entry', { hasText: 'hourly' }).waitFor();
    expect(server.world.crons.at(-1)).toMatchObject({
      name: 'hourly',
      expression: '0 3 * * 6',
      timeZone: 'Asia/Shanghai',
      branch: 'feat/multi-currency',
    });
    expect(server.requests.filter(({ line }) => /^POST .*\/crons$/.test(line))).toHaveLength(1);
    await context.close();
  });
});

describe('the list of crons', () => {
  it('switches one off, runs one now, and removes one after a question', async () => {
    const { page, context } = await open();
    await page.clock.setFixedTime(presentMs);
    await visit(page, base + crons);
    const nightly = page.locator('.entry', { hasText: 'nightly' });
    await nightly.getByText('Thu 2026-11-26 02:00 (UTC+8)').waitFor();
    await page.getByRole('button', { name: 'Switch off nightly' }).click();
    await page.getByRole('button', { name: 'Switch on nightly' }).waitFor();
    expect(server.world.crons[0]?.isEnabled).toBe(false);

    await page.getByRole('button', { name: 'Remove weekly-release' }).click();
    await page.locator('.dialog').getByRole('button', { name: 'Remove' }).click();
    await page.locator('.entry', { hasText: 'weekly-release' }).waitFor({ state: 'detached' });

    await page.getByRole('button', { name: 'Run now nightly' }).dblclick();
    await page.locator('.pipeline-meta', { hasText: 'nightly' }).waitFor();
    const runs = server.requests.filter(({ line }) => line.endsWith('/crons/nightly/run'));
    expect(new Set(runs.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    await context.close();
  });
});

describe('the dialog of a rerun', () => {
  const several = '/shop/payments/pipelines/12';

  it.each(looks)('is asked for in every look: $locale $colorScheme $width', async (options) => {
    const { locale, colorScheme, width } = options;
    server.world.pipelines.get('shop/payments')![0]!.status = 'failed';
    const { page, context, problems } = await open({ locale, colorScheme, viewport: { width, height: 900 } });
    await page.clock.setFixedTime(presentMs);
    await visit(page, base + several);
    await page.getByRole('button', { name: locale === 'zh-CN' ? '重跑…' : 'Rerun…' }).click();
    await page.locator('.dialog input[value=workflow]').check();
    await page.locator('.dialog select[name=workflow]').waitFor();
    const look = `${locale.slice(0, 2)}-${colorScheme}-${width}`;
    await page.screenshot({ caret: 'initial', path: join(pictures, `rerun-${look}.png`) });
    expect(await findBarriers(page)).toEqual([]);
    await expect.poll(() => sidewaysPx(page)).toBe(0);
    expect(problems).toEqual([]);
    await context.close();
  });

  it('asks for the whole, one workflow, or other parameters, and shows the pipeline that comes of these', async () => {
    const pipeline = server.world.pipelines.get('shop/payments')![0]!;
    const { page, context } = await open();
    await page.clock.setFixedTime(presentMs);
    const ask = async (value: string): Promise<void> => {
      pipeline.status = 'failed';
      await visit(page, base + several);
      await page.getByRole('button', { name: 'Rerun…' }).click();
      await page.locator(`.dialog input[value=${value}]`).check();
    };
    const send = async (): Promise<void> => {
      await page.locator('.dialog button[type=submit]').dblclick();
      await page.locator('.dialog').waitFor({ state: 'detached' });
    };
    await ask('all');
    await send();
    await ask('workflow');
    const name = pipeline.workflows[1]!.name;
    await page.locator('.dialog select[name=workflow]').selectOption(name);
    await send();
    await ask('parameters');
    await page.locator('.dialog textarea').fill('COLOUR=blue\nEMPTY=');
    await send();
    await page.locator('.pipeline-meta a[href$="/pipelines/12"]').waitFor();
    await ask('parameters');
    await page.getByLabel('Steps run without caches').check();
    await send();
    const parameters = { COLOUR: 'blue', EMPTY: '' };
    await expect.poll(() => server.reruns.slice(0, 3)).toEqual([{ only: 'all' }, { workflow: name }, { parameters }]);
    await expect.poll(() => server.reruns[3]).toMatchObject({ ignoresCaches: true });
    await context.close();
  });
});

describe('the rerun of a pipeline whose file did not compile', () => {
  it('shows the pipeline that comes of it', async () => {
    const pipeline = server.world.pipelines.get('shop/payments')![0]!;
    const error = { message: 'Cannot read .gantry.yml: it is no YAML', path: '.gantry.yml', line: 3, column: 5 };
    Object.assign(pipeline, { status: 'failed', error, workflows: [], steps: [] });
    const { page, context } = await open();
    await page.clock.setFixedTime(presentMs);
    await visit(page, `${base}/shop/payments/pipelines/12`);
    await page.getByRole('button', { name: 'Rerun all' }).dblclick();
    await page.waitForURL(`${base}/shop/payments/pipelines/13`);
    await page.locator('.pipeline-meta a[href$="/pipelines/12"]').waitFor();
    expect(server.reruns).toEqual([{ only: 'all' }]);
    await context.close();
  });
});

describe('the badge', () => {
  it('stands on the page of a project with the Markdown that shows it elsewhere', async () => {
    const { page, context } = await open();
    await visit(page, `${base}/shop/storefront`);
    const picture = page.getByAltText('State of the branch main');
    await picture.waitFor();
    await expect.poll(() => picture.evaluate((image) => (image as HTMLImageElement).naturalWidth)).toBeGreaterThan(50);
    await page.getByText(`[![pipeline](${base}/api/v1/projects/shop/storefront/badge.svg?branch=main)]`).waitFor();
    await page
      .locator('aside')
      .last()
      .screenshot({ path: join(pictures, 'badge.png') });
    await context.close();
  });
});
