import type { Browser, BrowserContext, BrowserContextOptions } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { PipelineSettingsView } from '../../src/api/settings.ts';
import { launchBrowser, openPage, visit, type WatchedPage } from './browser.ts';
import { FixtureServer } from './fixtures/fixture-server.ts';
import { makeWorld } from './fixtures/world.ts';

describe('the web UI', () => {
  let server: FixtureServer;
  let base: string;
  let browser: Browser;
  const contexts: BrowserContext[] = [];

  beforeAll(async () => {
    server = new FixtureServer(inject('uiFolder'));
    base = await server.start();
    browser = await launchBrowser();
  });
  beforeEach(() => {
    server.world = makeWorld();
    server.requests.length = 0;
    server.broken.clear();
    server.delayMs = 0;
  });
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
    // Chromium lets go of a stream some time after its last page.
    server.cutStreams();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  const open = async (path: string, options?: BrowserContextOptions): Promise<WatchedPage> => {
    const opened = await openPage(browser, options);
    contexts.push(opened.context);
    await visit(opened.page, base + path);
    return opened;
  };
  const countOf = (line: string): number => server.requests.filter((request) => request.line === line).length;

  it('leads by keyboard alone from the sign-in to the failing line and to a rerun', async () => {
    server.world.me = undefined;
    const { page } = await open('/login?next=%2Fshop%2Fstorefront%2Fpipelines%2F4127');
    await page.keyboard.type('wei');
    await page.keyboard.press('Tab');
    await page.keyboard.type('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('name or password is wrong').waitFor();
    await page.getByLabel('Password').focus();
    await page.keyboard.press('Control+a');
    await page.keyboard.type('correct horse');
    await page.keyboard.press('Enter');
    await page.locator('.failure-card').waitFor();

    const tabTo = async (name: RegExp): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        await page.keyboard.press('Tab');
        const text = await page.evaluate(() => document.activeElement?.textContent ?? '');
        if (!name.test(text)) continue;
        // What has the focus must show it.
        const outline = await page.evaluate(
          () => getComputedStyle(document.activeElement ?? document.body).outlineStyle,
        );
        expect(outline).toBe('solid');
        return;
      }
      throw new Error(`Cannot reach ${String(name)} by Tab`);
    };
    await tabTo(/^Open log at line 1,685$/);
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('.log-row.chosen').textContent()).toContain('rounds JPY totals');
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('log');
    await page.getByRole('button', { name: 'Rerun all' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('#4127 runs again').waitFor();
  });

  it.each([
    '//evil.test/x',
    '/\\evil.test',
    '/\t/evil.test',
    'https://evil.test/',
    'javascript:alert(1)',
    '/%5C%5Cevil.test/../..//evil.test',
    '/a/../\\evil.test',
  ])('goes to no other site after signing in: %s', async (next) => {
    server.world.me = undefined;
    const { page } = await open(`/login?next=${encodeURIComponent(next)}`);
    await page.getByLabel('Name').fill('wei');
    await page.getByLabel('Password').fill('correct horse');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForFunction(() => location.pathname !== '/login');
    await expect.poll(() => new URL(page.url()).origin).toBe(base);
  });

  it('sets up the first admin by the one-time link', async () => {
    server.world.needsSetup = true;
    server.world.me = undefined;
    const { page } = await open('/setup?key=one-time');
    await page.getByLabel('Name', { exact: true }).fill('wei');
    await page.getByLabel('Password').fill('correct horse battery');
    await page.getByRole('button', { name: 'Create the admin' }).click();
    await page.getByRole('heading', { name: 'Projects', exact: true }).waitFor();
  });

  it('creates a project once however often the button is pressed, and shows how to push', async () => {
    server.delayMs = 150;
    const { page, problems } = await open('/');
    const opener = page.getByRole('button', { name: 'New project' });
    await opener.click();
    await page.getByRole('dialog').getByLabel('Name').fill('payments');
    await page.getByRole('dialog').getByLabel('Owner').selectOption('shop');
    await page.getByRole('button', { name: 'Create project' }).click();
    await page.getByText('there is one of this name').waitFor();
    await page.keyboard.press('Escape');
    // The focus comes back to where the dialog was opened.
    await expect.poll(() => opener.evaluate((element) => element === document.activeElement)).toBe(true);
    await opener.click();
    await page.getByRole('dialog').getByLabel('Name').fill('fresh');
    const before = countOf('POST /api/v1/projects');
    await page.getByRole('button', { name: 'Create project' }).dblclick();
    await page.getByText('This repository is empty').waitFor();
    expect(countOf('POST /api/v1/projects') - before).toBe(1);
    await expect.poll(() => page.locator('.command-line code').first().textContent()).toContain('/wei/fresh.git');
    expect(problems.filter((problem) => !problem.includes('409'))).toEqual([]);
  });

  it('reruns once on a double click, with a key', async () => {
    server.delayMs = 100;
    const { page } = await open('/shop/storefront/pipelines/4127');
    await page.getByRole('button', { name: 'Rerun all' }).dblclick();
    await page.getByText('#4127 runs again').waitFor();
    const sent = server.requests.filter(({ line }) => line.endsWith('/4127/rerun'));
    expect(sent).toHaveLength(1);
    expect(sent[0]?.idempotencyKey).toMatch(/^[0-9a-f]{32}$/);
  });

  it('shows a step’s change at once, in the page, the tab and the list', async () => {
    const { page } = await open('/shop/storefront/pipelines/4128');
    await expect.poll(() => server.viewers.size).toBe(1);
    await expect.poll(() => page.title()).toContain('● #4128');
    const pipeline = server.world.pipelines.get('shop/storefront')?.find(({ number }) => number === 4128);
    const step = pipeline?.steps.find(({ name }) => name === 'test');
    if (!pipeline || !step) throw new Error('Cannot test: the fixture lacks its pipeline');
    step.status = 'failed';
    step.exitCode = 1;
    pipeline.status = 'failed';
    pipeline.finishedAt = new Date().toISOString();
    server.emit({
      type: 'step-changed',
      project: 'shop/storefront',
      number: 4128,
      workflow: 'default',
      stepId: step.id,
      step: 'test',
      status: 'failed',
    });
    server.emit({ type: 'pipeline-changed', project: 'shop/storefront', number: 4128, status: 'failed' });
    await page.locator('.failure-card').waitFor();
    await expect.poll(() => page.title()).toContain('✗ #4128');
    await expect.poll(() => page.getByRole('status').filter({ hasText: '#4128 Failed' }).count()).toBe(1);
  });

  it('keeps eight tabs live over one connection', async () => {
    const { page, context } = await open('/shop/storefront/pipelines/4128');
    const tabs = [page];
    for (let i = 0; i < 7; i++) {
      const tab = await context.newPage();
      await tab.goto(`${base}/shop/storefront/pipelines/4128`);
      await tab.locator('.log-row').first().waitFor();
      tabs.push(tab);
    }
    await expect.poll(() => server.viewers.size).toBe(1);
    const step = server.world.pipelines.get('shop/storefront')?.[0]?.steps.find(({ name }) => name === 'test');
    server.appendLog(step?.id ?? 0, 'for everybody\n');
    for (const tab of tabs)
      await expect.poll(() => tab.locator('.log-window').textContent()).toContain('for everybody');
  });

  it('shares one stream between tabs where there is no SharedWorker', async () => {
    const { context } = await openPage(browser);
    contexts.push(context);
    await context.addInitScript(() => Reflect.deleteProperty(globalThis, 'SharedWorker'));
    const tabs = [await context.newPage(), await context.newPage(), await context.newPage()];
    for (const tab of tabs) {
      await tab.goto(`${base}/shop/storefront/pipelines/4128`);
      await tab.locator('.log-row').first().waitFor();
    }
    const step = server.world.pipelines.get('shop/storefront')?.[0]?.steps.find(({ name }) => name === 'test');
    await expect.poll(() => server.viewers.size).toBe(1);
    server.appendLog(step?.id ?? 0, 'by the leader\n');
    for (const tab of tabs)
      await expect.poll(() => tab.locator('.log-window').textContent()).toContain('by the leader');
    // The leader goes: another takes over, and nothing is missed.
    await tabs.shift()?.close();
    server.appendLog(step?.id ?? 0, 'in between\n', { isTold: false });
    await expect.poll(() => server.viewers.size, { timeout: 10_000 }).toBe(1);
    server.appendLog(step?.id ?? 0, 'by the next leader\n');
    for (const tab of tabs) {
      await expect
        .poll(() => tab.locator('.log-window').textContent(), { timeout: 10_000 })
        .toContain('by the next leader');
      await expect.poll(() => tab.locator('.log-window').textContent()).toContain('in between');
    }
  });

  it('shows a token’s secret once', async () => {
    const { page } = await open('/profile');
    await page.getByRole('button', { name: 'New token' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('ci');
    await page.getByRole('button', { name: 'Create token' }).click();
    await page.getByText('gty_p_newsecretthatisshownonce_abc123').waitFor();
    await page.getByRole('button', { name: 'Done' }).click();
    await page.reload();
    await page.locator('b', { hasText: /^ci$/ }).waitFor();
    await expect.poll(() => page.content()).not.toContain('newsecretthatisshownonce');
  });

  it('signs out, and shows nothing of before', async () => {
    const { page } = await open('/profile');
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await expect.poll(() => new URL(page.url()).pathname).toBe('/login');
    await page.goto(`${base}/profile`);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await expect.poll(() => new URL(page.url()).search).toBe('?next=%2Fprofile');
  });

  it('takes a secret in, says when it cannot be masked, and never shows it', async () => {
    const { page } = await open('/shop/storefront/settings/secrets');
    await page.getByRole('button', { name: 'Add secret' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('PIN');
    await page.getByRole('dialog').getByLabel('Value').fill('042');
    await page.getByRole('button', { name: 'Save secret' }).click();
    await page.getByText('too short to be masked').waitFor();
    await page.locator('b', { hasText: /^pin$/ }).waitFor();
    await expect.poll(() => page.content()).not.toContain('042');
  });

  it('takes in logins of registries and of git hosts, each for its own, and takes one away', async () => {
    const { page } = await open('/shop/storefront/settings/secrets');
    for (const [heading, label, host] of [
      ['Registries', 'Registry', 'hub.example.com'],
      ['Git logins', 'Host', 'code.example.com'],
    ] as const) {
      const box = page.locator('section.box', { has: page.getByRole('heading', { name: heading, exact: true }) });
      await box.getByRole('button', { name: 'Add login' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel(label, { exact: true }).fill(host);
      await dialog.getByLabel('User name').fill('robot-two');
      await dialog.getByLabel('Password').fill('hunter-77');
      await dialog.getByRole('button', { name: 'Save' }).click();
      await box.locator('.entry', { hasText: host }).getByText('robot-two').waitFor();
    }
    await page.getByRole('button', { name: 'Remove code.example.com' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await page.locator('.entry', { hasText: 'code.example.com' }).waitFor({ state: 'detached' });
    await page.locator('.entry', { hasText: 'hub.example.com' }).waitFor();
    await expect.poll(() => page.content()).not.toContain('hunter-77');
  });

  it('shows to whom a secret is given, and changes that without its value', async () => {
    const { page } = await open('/shop/storefront/settings/secrets');
    const entry = page.locator('.entry', { hasText: 'deploy_key' });
    await expect.poll(() => entry.locator('.tag').allTextContents()).toContain('plugins only');
    await entry.getByRole('button', { name: 'Change' }).click();
    await page.getByLabel('Only on these branches').fill('main\n\n hotfix/* ');
    await page.getByLabel('Only for plugins').uncheck();
    await page.getByRole('radio', { name: 'Of the project itself' }).check();
    await page.getByRole('button', { name: 'Save secret' }).click();
    await page.getByText('deploy_key is saved').waitFor();
    await expect.poll(() => entry.locator('.tag').allTextContents()).not.toContain('plugins only');
    const tags = (await entry.locator('.tag').allTextContents()).join();
    expect(tags).toContain('hotfix/*');
    expect(tags).toContain('pull requests of the project');
    expect(server.world.secrets.find(({ name }) => name === 'deploy_key')).toMatchObject({
      pullRequests: 'project',
      events: expect.arrayContaining(['tag', 'pull_request']),
    });
  });

  it('encrypts a value for the pipeline file, and takes the key of a Drone repository in', async () => {
    const { page } = await open('/shop/storefront/settings/secrets');
    await page.getByRole('button', { name: 'Encrypt a value for the file' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('npm_token');
    await page.getByRole('dialog').getByLabel('Value').fill('canary-of-the-page');
    await page.getByRole('button', { name: 'Encrypt', exact: true }).click();
    const notice = page.getByRole('dialog', { name: 'Put this into the pipeline file' });
    await notice.getByText('kind: secret').waitFor();
    expect(await notice.locator('pre').textContent()).toMatch(/^---\nkind: secret\nname: npm_token\ndata: \S+\n$/);
    await expect.poll(() => page.content()).not.toContain('canary-of-the-page');
    await page.keyboard.press('Escape');
    await notice.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Bring the key' }).click();
    await page.getByRole('dialog').getByLabel('Key of the Drone repository').fill('k'.repeat(32));
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByText('The key was brought').waitFor();
    await page.getByRole('button', { name: 'Forget the key' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Forget the key' }).click();
    await page.getByText('None. Bring it to run').waitFor();
  });

  it('changes how pipelines are run, and says which rule of promotions it cannot read', async () => {
    const before: PipelineSettingsView = {
      ...server.world.pipelineSettings,
      disabledEvents: ['tag', 'pull_request', 'cron'],
      supersedingEvents: ['push', 'pull_request'],
      pullRequestApproval: 'all',
      ignoresForks: true,
      usesTargetFile: true,
      requiresSignature: true,
      unavailable: 'skip',
      trusts: ['volumes'],
    };
    server.world.pipelineSettings = before;
    const { page } = await open('/shop/storefront/settings/pipelines');
    await page.getByLabel('Who may promote').fill('production admin\nstaging');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('“staging” is no rule').waitFor();
    await page.getByLabel('Who may promote').fill('production admin\nstaging maintain');
    await page.getByLabel('Pipeline file', { exact: true }).fill('');
    await page.getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => server.world.pipelineSettings.path).toBeNull();
    // What nobody touched is as it was, whatever has been set elsewhere.
    expect(server.world.pipelineSettings).toEqual({
      ...before,
      path: null,
      promotionRules: [
        { target: 'production', role: 'admin' },
        { target: 'staging', role: 'maintain' },
      ],
    });
  });

  it('keeps the filters of a list in its address', async () => {
    const { page } = await open('/shop/storefront/pipelines');
    await page.getByLabel('Status').selectOption('failed');
    await expect.poll(() => new URL(page.url()).search).toBe('?status=failed');
    await expect.poll(() => page.locator('.pipeline-row .status').allTextContents()).not.toContain('Passed');
    await page.reload();
    await page.locator('.pipeline-row').first().waitFor();
    await expect.poll(() => page.getByLabel('Status').inputValue()).toBe('failed');
    await expect.poll(() => page.locator('.pipeline-row .status').allTextContents()).not.toContain('Passed');
  });

  it('changes language and theme, and keeps both', async () => {
    const { page } = await open('/');
    await page.getByRole('button', { name: '中文' }).click();
    await page.getByRole('heading', { name: '项目' }).waitFor();
    await page.getByRole('button', { name: '深色主题' }).click();
    await expect.poll(() => page.locator('html').getAttribute('data-theme')).toBe('dark');
    await page.reload();
    await page.getByRole('heading', { name: '项目' }).waitFor();
    await expect.poll(() => page.locator('html').getAttribute('data-theme')).toBe('dark');
  });

  it('jumps by the palette', async () => {
    const { page } = await open('/shop/storefront');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Search…' }).fill('#4127');
    await page.keyboard.press('Enter');
    await page.locator('.failure-card').waitFor();
    await expect.poll(() => new URL(page.url()).pathname).toBe('/shop/storefront/pipelines/4127');
  });

  it('says what went wrong with a next step and the request, and tries again', async () => {
    server.broken.add('getPipeline');
    const { page } = await openPage(browser);
    contexts.push(page.context());
    await page.goto(`${base}/shop/storefront/pipelines/4127`);
    await page.getByText('req_01JD8Z').waitFor();
    server.broken.clear();
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.locator('.failure-card').waitFor();
  });

  it('says that it is offline', async () => {
    const { page, context } = await open('/');
    await context.setOffline(true);
    await page.getByText('You are offline').waitFor();
    await context.setOffline(false);
    await expect.poll(() => page.getByText('You are offline').count()).toBe(0);
  });

  it('works on plain http, where browsers have no clipboard, no locks and no random ids', async () => {
    const { page, context, problems } = await openPage(browser);
    contexts.push(context);
    await page.goto(`${base.replace('127.0.0.1', 'gantry.test')}/shop/storefront`);
    await expect
      .poll(() => page.evaluate(() => [isSecureContext, 'clipboard' in navigator, 'randomUUID' in crypto]))
      .toEqual([false, false, false]);
    await expect.poll(() => server.viewers.size).toBe(1);
    await page.goto(`${base.replace('127.0.0.1', 'gantry.test')}/shop/storefront/pipelines/4127`);
    await page.getByRole('button', { name: 'Rerun all' }).click();
    await page.getByText('#4127 runs again').waitFor();
    expect(problems).toEqual([]);
    await page.goto(`${base.replace('127.0.0.1', 'gantry.test')}/shop/storefront`);
    await page.locator('.command-line').getByRole('button').first().click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
  });

  it('shows documents of others without anything that acts', async () => {
    const { page, problems } = await open('/shop/hostile');
    await page.getByText('The end of the readme.').waitFor();
    const addresses = await page
      .locator('.markdown a')
      .evaluateAll((all) => all.map((one) => one.getAttribute('href')).filter((one) => one !== null));
    for (const address of addresses) expect(address).toMatch(/^(https:\/\/|\/shop\/hostile\/)/);
    expect(
      await page
        .locator('.markdown :is(script, iframe, svg, style, form, button, object, embed, math, base, meta, img)')
        .count(),
    ).toBe(0);
    await expect
      .poll(() => page.locator('.markdown [style], .markdown [id], .markdown [name], .markdown [onerror]').count())
      .toBe(0);
    await expect.poll(() => page.evaluate(() => 'wasAttacked' in globalThis)).toBe(false);
    expect(problems).toEqual([]);
  });

  it('reaches the failing line within its budget on a slow machine', async () => {
    const opened = await openPage(browser);
    contexts.push(opened.context);
    const devtools = await opened.context.newCDPSession(opened.page);
    await devtools.send('Emulation.setCPUThrottlingRate', { rate: 4 });
    await opened.page.goto(`${base}/shop/storefront/pipelines/4127`, { waitUntil: 'commit' });
    await opened.page.locator('.failure-card pre').waitFor();
    const tookMs = await opened.page.evaluate(() => performance.now());
    console.log(`failing line readable after ${Math.round(tookMs)} ms at CPU × 4`);
    expect(tookMs).toBeLessThan(10_000);
  });
});
