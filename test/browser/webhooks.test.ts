import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { findBarriers, launchBrowser, openPage, visit } from './browser.ts';
import { FixtureServer } from './fixtures/fixture-server.ts';

describe('webhooks on their page', () => {
  let server: FixtureServer;
  let base: string;
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  beforeEach(async () => {
    server = new FixtureServer(inject('uiFolder'));
    base = await server.start();
    return () => server.stop();
  });
  afterAll(() => browser?.close());

  async function open(path: string) {
    const { page, problems } = await openPage(browser, { locale: 'en-GB' });
    await visit(page, base + path);
    return { page, problems };
  }

  it('are made with a secret that is shown once', async () => {
    const { page, problems } = await open('/shop/storefront/settings/webhooks');
    await page.getByRole('button', { name: 'Add a webhook', exact: true }).click();
    await page.getByLabel('Address').fill('https://new.example.test/hook');
    await page.getByLabel('Branch pushed').check();
    expect(await findBarriers(page)).toEqual([]);
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByText('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw').waitFor();
    expect(await findBarriers(page)).toEqual([]);
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByText('https://new.example.test/hook').first().waitFor();
    await expect.poll(() => page.content()).not.toContain('whsec_MfKQ');
    expect(problems).toEqual([]);
  });

  it('show what they were sent and what was answered, and send it again', async () => {
    const { page, problems } = await open('/shop/storefront/settings/webhooks?webhook=1');
    await page.getByRole('button', { name: 'Details msg_01M8B6Y03E3PHSJ1X51T0WHGZK' }).click();
    await page.getByText('"slug": "shop/storefront"').waitFor();
    await page.getByText('{"ok":true}').waitFor();
    expect(await findBarriers(page)).toEqual([]);
    await page.getByRole('button', { name: 'Send again msg_01M8B6ZZZZZZZZZZZZZZZZZZZZ' }).click();
    await page.getByText('could not be reached').waitFor({ state: 'detached' });
    expect(server.requests.map(({ line }) => line)).toContain(
      'POST /api/v1/projects/shop/storefront/webhooks/1/deliveries/13/redeliver',
    );
    expect(problems).toEqual([]);
  });

  it('that come in are made with parameters out of the body', async () => {
    const { page, problems } = await open('/shop/storefront/settings/webhooks');
    await page.getByRole('button', { name: 'Add an incoming webhook' }).click();
    await page.getByLabel('Name').fill('release');
    await page.getByLabel('Parameters from the JSON body').fill('TAG=$.tag\nID = $.items[0].id\n');
    await page.getByLabel('Token').check();
    expect(await findBarriers(page)).toEqual([]);
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByText('ID=$.items[0].id').waitFor();
    await page.getByText('/hooks/shop/storefront/release').waitFor();
    expect(problems).toEqual([]);
  });
});
