import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { findBarriers, launchBrowser, openPage, sidewaysPx, visit } from './browser.ts';
import { FixtureServer } from './fixtures/fixture-server.ts';
import { makeWorld, presentMs } from './fixtures/world.ts';
import { looks, pictures } from './looks.ts';

const list = '/shop/storefront/pipelines';

describe('the form of a start by hand', () => {
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
  });

  it.each(looks)('has a field for each parameter of the branch: $locale $colorScheme $width', async (look) => {
    const { locale, colorScheme, width } = look;
    const { page, context, problems } = await openPage(browser, {
      locale,
      colorScheme,
      viewport: { width, height: 900 },
    });
    await page.clock.setFixedTime(presentMs);
    await visit(page, base + list);
    await page.getByRole('button', { name: locale === 'zh-CN' ? '运行流水线' : 'Run pipeline' }).click();
    await page.locator('.dialog textarea[name=parameters]').waitFor();
    await page.locator('.dialog select[name=ref]').selectOption('feat/multi-currency');
    await page.locator('.dialog input[name=parameter-VERSION]').waitFor();
    const picture = `start-parameters-${locale.slice(0, 2)}-${colorScheme}-${width}.png`;
    await page.screenshot({ caret: 'initial', path: join(pictures, picture) });
    expect(await findBarriers(page)).toEqual([]);
    await expect.poll(() => sidewaysPx(page)).toBe(0);
    expect(problems).toEqual([]);
    await context.close();
  });

  it('sends what was given, and leaves the default of an empty field to the file', async () => {
    const { page, context } = await openPage(browser, { viewport: { width: 1440, height: 900 } });
    await visit(page, base + list);
    await page.getByRole('button', { name: 'Run pipeline' }).click();
    await page.locator('.dialog select[name=ref]').selectOption('feat/multi-currency');
    await page.locator('.dialog input[name=parameter-VERSION]').fill('2.15.0');
    await page.locator('.dialog input[name=parameter-REPLICAS]').fill('');
    await page.locator('.dialog select[name=parameter-REGION]').selectOption('us');
    await page.locator('.dialog input[name=parameter-DRY_RUN]').uncheck();
    const sending = page.waitForRequest(
      (request) => request.method() === 'POST' && request.url().endsWith('/api/v1/projects/shop/storefront/pipelines'),
    );
    await page.locator('.dialog button[type=submit]').click();
    expect((await sending).postDataJSON()).toEqual({
      ref: 'feat/multi-currency',
      parameters: { VERSION: '2.15.0', REGION: 'us', DRY_RUN: 'false' },
    });
    await context.close();
  });
});
