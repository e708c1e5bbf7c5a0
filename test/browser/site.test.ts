import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { findBarriers, launchBrowser, openPage, sidewaysPx, visit } from './browser.ts';
import { FixtureServer } from './fixtures/fixture-server.ts';
import { makeWorld, presentMs } from './fixtures/world.ts';
import { looks, pictures } from './looks.ts';

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

let close: (() => Promise<void>) | undefined;
afterEach(async () => {
  await close?.();
  // Chromium lets go of a stream some time after its last page.
  server.cutStreams();
  close = undefined;
});

async function open(path: string): Promise<{ page: Page; problems: string[] }> {
  const { page, context, problems } = await openPage(browser, { viewport: { width: 1440, height: 900 } });
  close = () => context.close();
  await page.clock.setFixedTime(presentMs);
  await visit(page, base + path);
  return { page, problems };
}

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const lines = (): string[] => server.requests.map(({ line }) => line);

describe('people', () => {
  it('are created with a link that is shown once', async () => {
    const { page, problems } = await open('/site/people');
    await button(page, 'New person').click();
    await page.getByLabel('Name', { exact: true }).fill('bo');
    await button(page, 'Create person').click();
    await page.getByText('http://gantry.test/welcome?name=bo#right').waitFor();
    expect(await findBarriers(page)).toEqual([]);
    await button(page, 'Done').click();
    await page.getByText('bo@example.test').waitFor();
    await expect.poll(() => page.getByText('welcome?name=bo').count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it('are created with a password where that is chosen', async () => {
    const { page } = await open('/site/people');
    await button(page, 'New person').click();
    await expect.poll(() => page.getByLabel('Password', { exact: true }).count()).toBe(0);
    await page.getByText('Set it now').click();
    await page.getByLabel('Name', { exact: true }).fill('bo');
    await page.getByLabel('Password', { exact: true }).fill('correct horse battery');
    await button(page, 'Create person').click();
    await page.getByText('bo is created').waitFor();
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
  });

  it('are disabled and made admins after a question, and nobody disables themselves', async () => {
    const { page } = await open('/site/people');
    await button(page, 'Disable ana').click();
    expect(lines()).not.toContain('PATCH /api/v1/people/ana');
    await button(page, 'Disable').click();
    await button(page, 'Enable ana').waitFor();
    await button(page, 'Make admin hanmeimei').click();
    await button(page, 'Make admin').click();
    await button(page, 'Take admin rights hanmeimei').waitFor();
    expect(server.world.people.find(({ name }) => name === 'hanmeimei')?.isSiteAdmin).toBe(true);
    await expect.poll(() => page.getByRole('button', { name: /wei$/ }).count()).toBe(0);
  });

  it('and the audit are for site admins, and in nobody else’s way around', async () => {
    server.world.me = { ...server.world.me!, isSiteAdmin: false };
    const { page } = await open('/site/audit');
    await page.getByText('This needs a site admin').waitFor();
    await expect.poll(() => page.getByRole('link', { name: 'People' }).count()).toBe(0);
    expect(lines().filter((line) => line === 'GET /api/v1/audit')).toEqual([]);
  });
});

describe('the audit', () => {
  it('is filtered, and its address says how', async () => {
    const { page } = await open('/site/audit');
    await page.getByLabel('Outcome').selectOption('refused');
    await page.getByLabel('Who').fill('mallory');
    await button(page, 'Apply').click();
    await page.waitForFunction(() => document.querySelectorAll('.audit-list > li').length === 1);
    await expect.poll(() => new URL(page.url()).search).toBe('?actor=mallory&outcome=refused');
    await expect
      .poll(() => page.getByRole('link', { name: 'Export' }).getAttribute('href'))
      .toBe('/api/v1/audit/export?actor=mallory&refused=true');
    await button(page, 'Clear the filters').click();
    await page.waitForFunction(() => document.querySelectorAll('.audit-list > li').length > 5);
  });

  it('says that its chain is whole, or where it breaks', async () => {
    const { page } = await open('/site/audit');
    await button(page, 'Check the whole record').click();
    await page.getByText('1,204 records follow from each other').waitFor();
    server.world.brokenAt = 812;
    await button(page, 'Check the whole record').click();
    await page.getByText('The chain breaks at record 812').waitFor();
    expect(await findBarriers(page)).toEqual([]);
  });

  it('opens a record in every look', async () => {
    for (const { locale, colorScheme, width } of looks) {
      const { page, context, problems } = await openPage(browser, {
        locale,
        colorScheme,
        viewport: { width, height: 900 },
      });
      await page.clock.setFixedTime(presentMs);
      await visit(page, `${base}/shop/storefront/settings/audit`);
      await page.locator('.audit-list summary').nth(1).click();
      await page.getByText('ACCESS_DENIED').waitFor();
      const look = `${locale.slice(0, 2)}-${colorScheme}-${width}`;
      await page.screenshot({ caret: 'initial', path: join(pictures, `audit-open-${look}.png`) });
      expect(await findBarriers(page), look).toEqual([]);
      await expect.poll(() => sidewaysPx(page), { message: look }).toBe(0);
      expect(problems, look).toEqual([]);
      await context.close();
    }
  });
});

describe('the page that approves a login', () => {
  it('shows who asks in every look, and decides nothing by being opened', async () => {
    for (const { locale, colorScheme, width } of looks) {
      const { page, context, problems } = await openPage(browser, {
        locale,
        colorScheme,
        viewport: { width, height: 900 },
      });
      await page.clock.setFixedTime(presentMs);
      await visit(page, `${base}/device?code=wdjb-mjht`);
      await page.locator('button[type=submit]').click();
      await page.locator('.device-code').waitFor();
      const look = `${locale.slice(0, 2)}-${colorScheme}-${width}`;
      await page.screenshot({ caret: 'initial', path: join(pictures, `device-comparison-${look}.png`) });
      expect(await findBarriers(page), look).toEqual([]);
      await expect.poll(() => sidewaysPx(page), { message: look }).toBe(0);
      expect(problems, look).toEqual([]);
      await context.close();
    }
    expect(lines()).not.toContain('POST /api/v1/device-logins/decision');
  });

  it('approves, once', async () => {
    const { page, problems } = await open('/device?code=WDJB-MJHT');
    await button(page, 'Continue').click();
    await page.getByText('build-7.example.test').waitFor();
    await page.getByText('code:read, pipeline:write, account:read').waitFor();
    await button(page, 'Approve').click();
    await page.getByText('The terminal goes on by itself').waitFor();
    expect(await findBarriers(page)).toEqual([]);
    expect(server.world.deviceLogin).toBeUndefined();
    expect(problems).toEqual([]);
  });

  it('refuses, and says of a wrong code that it is wrong', async () => {
    const { page } = await open('/device');
    await page.getByLabel('Code').fill('BBBB-BBBB');
    await button(page, 'Continue').click();
    await page.getByRole('alert').getByText('the code is wrong').waitFor();
    await page.getByLabel('Code').fill('WDJB-MJHT');
    await button(page, 'Continue').click();
    await button(page, 'Refuse').click();
    await page.getByText('The program gets nothing').waitFor();
  });

  it('sends a visitor to sign in, and back to the code', async () => {
    server.world.me = undefined;
    const { page } = await open('/device?code=WDJB-MJHT');
    await page.getByLabel('Name').fill('wei');
    await page.getByLabel('Password').fill('correct horse');
    await button(page, 'Sign in').click();
    await page.getByLabel('Code').waitFor();
    await expect.poll(() => page.getByLabel('Code').inputValue()).toBe('WDJB-MJHT');
  });
});

describe('the page of a one-time link', () => {
  it('sets a password and signs in; the key is in no request but that one', async () => {
    server.world.me = undefined;
    const { page, problems } = await open('/welcome?name=ana#right');
    await page.getByLabel('Password').fill('correct horse battery');
    await button(page, 'Choose password and sign in').click();
    await page.getByRole('heading', { name: 'Projects' }).waitFor();
    expect(lines().some((line) => line.includes('right'))).toBe(false);
    expect(problems).toEqual([]);
  });

  it('says that a link was used', async () => {
    const { page } = await open('/welcome?name=ana#old');
    await page.getByLabel('Password').fill('correct horse battery');
    await button(page, 'Choose password and sign in').click();
    await page.getByRole('alert').getByText('the link was used').waitFor();
  });
});
