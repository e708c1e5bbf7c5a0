import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GantryProcess } from '../support/gantry-process.ts';
import { findBarriers, launchBrowser, openPage } from './browser.ts';

const root = join(import.meta.dirname, '../..');
const password = 'a long enough password';

/** Steps of the scripted runtime: each says what it does. */
const acts = [
  ...Array.from({ length: 80 }, () => [
    { do: 'write-lines', count: 1 },
    { do: 'sleep', ms: 100 },
  ]).flat(),
  { do: 'end', outcome: { kind: 'exited', exitCode: 0 } },
];
const file = `kind: pipeline
name: default
steps:
  - name: count
    image: base/busybox
    environment: { STEP_ACTS: '${JSON.stringify(acts)}' }
    commands: [echo counted]
  - name: break
    image: base/busybox
    environment: { STEP_ERROR_OUTPUT: 'Error: <b>it broke</b>', STEP_EXIT_CODE: '3' }
    commands: [exit 3]
    depends_on: [count]
`;

describe('the web UI of a whole Gantry', () => {
  let gantry: GantryProcess;
  let browser: Browser;

  beforeAll(async () => {
    // As the server's own start builds it, unless it stands there already.
    await promisify(execFile)(
      process.execPath,
      ['-e', "import('./src/app/build-ui.ts').then(({ buildUi }) => buildUi(() => undefined))"],
      { cwd: root, env: { ...process.env, NODE_ENV: 'production' } },
    );
    gantry = await GantryProcess.start();
    await gantry.client('createPerson', { body: { name: 'mei', password, isSiteAdmin: true } });
    await gantry.createProject('shop');
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await gantry?.dispose();
  });

  it('shows a push, its moving log, its failure and its rerun without being reloaded', async () => {
    const { page, context, problems } = await openPage(browser);
    await page.goto(`${gantry.url}/admin/shop`);
    await page.getByRole('link', { name: 'Sign in' }).first().click();
    await page.getByLabel('Name').fill('mei');
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('This repository is empty').waitFor();

    await gantry.push('shop', { '.gantry.yml': file, 'README.md': '# Shop window\n' });
    await page.getByRole('heading', { name: 'Shop window' }).waitFor({ timeout: 15_000 });
    await page.getByRole('link', { name: 'Pipelines', exact: true }).click();
    await page.locator('.pipeline-row a.subject').click();
    await expect.poll(() => page.locator('.log-row').count(), { timeout: 15_000 }).toBeGreaterThan(3);
    expect(await page.title()).toMatch(/^● #1 /);
    await page
      .locator('.failure-card', { hasText: 'break failed: Error: <b>it broke</b>' })
      .waitFor({ timeout: 30_000 });
    expect(await page.title()).toMatch(/^✗ #1 /);

    // The log as a whole: what was shown while it moved is what was stored.
    await page.locator('.step-list button', { hasText: 'count' }).click();
    const steps = (await gantry.finished('shop', 1)).steps;
    const stored = await gantry.log('shop', 1, steps.find(({ name }) => name === 'count')?.id ?? 0);
    await expect
      .poll(() => page.locator('.log-bar > .number').textContent())
      .toBe(`${stored.trimEnd().split('\n').length} lines`);

    await page.getByRole('button', { name: 'Why?' }).click();
    await page.getByText('The pipeline file is .gantry.yml.').waitFor();
    await page.getByRole('button', { name: 'Rerun all' }).click();
    await page.getByText('Attempt 2').first().waitFor({ timeout: 15_000 });
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('.pipeline-meta .status', { hasText: 'Cancelled' }).waitFor({ timeout: 30_000 });
    expect(await findBarriers(page)).toEqual([]);
    expect(problems).toEqual([]);
    await context.close();
  });

  it('shows nothing of a private project to a visitor', async () => {
    const { page, context } = await openPage(browser);
    await page.goto(`${gantry.url}/admin/shop/pipelines/1`);
    await page.locator('.error-state').waitFor();
    expect(await page.content()).not.toContain('README');
    await page.goto(gantry.url);
    await page.getByText('No public projects').waitFor();
    await context.close();
  });
});
