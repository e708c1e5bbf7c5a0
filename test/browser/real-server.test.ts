import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
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
    // What was waited for in vain says little of what there was instead.
    onTestFailed(async () => console.error(problems, await page.content()));
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
    await expect.poll(() => page.title()).toMatch(/^● #1 /);
    await page
      .locator('.failure-card', { hasText: 'break failed: Error: <b>it broke</b>' })
      .waitFor({ timeout: 30_000 });
    await expect.poll(() => page.title()).toMatch(/^✗ #1 /);

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
    await page.locator('.error-state').getByText('sign in if this is one of yours').waitFor();
    await expect.poll(() => page.content()).not.toContain('README');
    await page.goto(gantry.url);
    await page.getByText('No public projects').waitFor();
    await context.close();
  });

  it('lets the command line in by a code, and shows site admins that it did', async () => {
    const { page, context, problems } = await openPage(browser);
    const home = await mkdtemp(join(tmpdir(), 'gantry-login-'));
    const cli = spawn(process.execPath, [join(root, 'src/cli/main.ts'), 'login', gantry.url], {
      env: { PATH: process.env['PATH'], HOME: home, XDG_CONFIG_HOME: home },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      const ended = once(cli, 'exit');
      let notes = '';
      const whenShown = new Promise<string>((resolve) => {
        cli.stderr.on('data', (text: Buffer) => {
          notes += text.toString();
          const code = /\b[A-Z]{4}-[A-Z]{4}\b/.exec(notes)?.[0];
          if (code !== undefined) resolve(code);
        });
      });
      const code = await whenShown;
      const address = /http:\S+\/device/.exec(notes)?.[0];
      await page.goto(`${address}?code=${code}`);
      await page.getByLabel('Name').fill('mei');
      await page.getByLabel('Password').fill(password);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.locator('.device-code', { hasText: code }).waitFor();
      await page.getByText(hostname()).waitFor();
      await page.getByRole('button', { name: 'Approve' }).click();
      await page.getByText('The terminal goes on by itself').waitFor();
      expect(await ended).toEqual([0, null]);
      expect(notes).toContain('as mei');

      await page.goto(`${gantry.url}/site/audit`);
      await page.getByText('approved the login of a program').waitFor();
      await page.getByRole('button', { name: 'Check the whole record' }).click();
      await page.getByText('records follow from each other').waitFor();
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('link', { name: 'Export' }).click(),
      ]);
      const exported = await readFile(await download.path(), 'utf8');
      expect(exported.split('\n').some((line) => line.includes('"device-login:approve"'))).toBe(true);
      await page.goto(`${gantry.url}/site/people`);
      await page.getByText('last seen').first().waitFor();
      expect(await findBarriers(page)).toEqual([]);
      expect(problems).toEqual([]);
    } finally {
      cli.kill();
      await context.close();
      await rm(home, { recursive: true, force: true });
    }
  });
});
