import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { findBarriers, launchBrowser, openPage, sidewaysPx, visit } from './browser.ts';
import { FixtureServer } from './fixtures/fixture-server.ts';
import { presentMs } from './fixtures/world.ts';
import { looks, pictures } from './looks.ts';

const pages: Record<string, string> = {
  'set-up': '/setup?key=one-time',
  'sign-in': '/login',
  projects: '/',
  'projects of an owner': '/shop',
  project: '/shop/storefront',
  'empty project': '/wei/hello',
  'hostile project': '/shop/hostile',
  folder: '/shop/storefront/files?path=src',
  file: '/shop/storefront/files?path=src/cart/totals.ts&view=file#L10-L12',
  commits: '/shop/storefront/commits',
  commit: '/shop/storefront/commits/9f31c2e4b7a05d1c8e6f2a3b4c5d6e7f8a9b0c1d',
  refs: '/shop/storefront/refs',
  pipelines: '/shop/storefront/pipelines',
  'no pipelines': '/wei/hello/pipelines',
  events: '/shop/storefront/pipelines?view=events',
  'failed pipeline': '/shop/storefront/pipelines/4127',
  'running pipeline': '/shop/storefront/pipelines/4128',
  'pipeline with workflows': '/shop/payments/pipelines/12',
  'pipeline file that cannot be read': '/shop/broken-file/pipelines/3',
  'hostile pipeline': '/shop/hostile/pipelines/1',
  timeline: '/shop/storefront/pipelines/4127?tab=timeline',
  why: '/shop/storefront/pipelines/4127?tab=why',
  'skipped only': '/shop/storefront/pipelines/4127?tab=why&only=skipped',
  'variables of a step': '/shop/storefront/pipelines/4127?tab=variables',
  'hostile variables': '/shop/hostile/pipelines/1?tab=variables',
  yaml: '/shop/storefront/pipelines/4127?tab=yaml',
  matrix: '/shop/payments/pipelines/11',
  'pipeline file to try': '/shop/storefront/pipeline-file',
  'pipeline file with a fault': '/shop/broken-file/pipeline-file',
  'no pipeline file': '/wei/hello/pipeline-file',
  details: '/shop/storefront/pipelines/4128?tab=details',
  'general settings': '/shop/storefront/settings/general',
  'settings that one may not see': '/shop/broken-file/settings/secrets',
  members: '/shop/storefront/settings/members',
  secrets: '/shop/storefront/settings/secrets',
  'pipeline settings': '/shop/storefront/settings/pipelines',
  variables: '/shop/storefront/settings/variables',
  'secrets of an organisation': '/shop/-/settings/secrets',
  'variables of an organisation': '/shop/-/settings/variables',
  'projects of an organisation': '/shop',
  caches: '/shop/storefront/settings/caches',
  'no caches': '/wei/hello/settings/caches',
  crons: '/shop/storefront/settings/crons',
  webhooks: '/shop/storefront/settings/webhooks?webhook=1',
  'no webhooks': '/wei/hello/settings/webhooks',
  'webhooks of an organisation': '/shop/-/settings/webhooks',
  'no crons': '/wei/hello/settings/crons',
  'project audit': '/shop/storefront/settings/audit',
  'empty project audit': '/wei/hello/settings/audit',
  profile: '/profile',
  welcome: '/welcome?name=ana#right',
  'welcome without a key': '/welcome',
  device: '/device',
  'device with a code': '/device?code=WDJB-MJHT',
  people: '/site/people',
  'no such person': '/site/people?query=nobody',
  audit: '/site/audit',
  'audit of nothing': '/site/audit?actor=nobody&from=2026-11-01&to=2026-11-25',
  'not found': '/a/b/c/d/e',
  'unknown project': '/shop/nothing',
};

describe('every page', () => {
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

  it.each(Object.entries(pages))(
    '%s has no error, no barrier and no sideways scroll in any look',
    async (name, path) => {
      server.world.needsSetup = name === 'set-up';
      for (const { locale, colorScheme, width, height } of looks) {
        const look = `${name} ${locale} ${colorScheme} ${width}`;
        const { page, context, problems } = await openPage(browser, {
          locale,
          colorScheme,
          viewport: { width, height },
        });
        await page.clock.setFixedTime(presentMs);
        await visit(page, base + path);
        await page.waitForFunction(() => !document.querySelector('.skeleton'));
        // What is drawn must be the language asked for.
        expect(await page.locator('html').getAttribute('lang')).toBe(locale === 'zh-CN' ? 'zh-CN' : 'en');
        expect(await page.locator('html').getAttribute('data-theme')).toBe(colorScheme);
        await page.screenshot({
          // Hiding the caret would take a style of Playwright's own, which the CSP of the page may refuse.
          caret: 'initial',
          path: join(pictures, `${name.replaceAll(' ', '-')}-${locale.slice(0, 2)}-${colorScheme}-${width}.png`),
        });
        expect.soft(await findBarriers(page), `barriers: ${look}`).toEqual([]);
        if (width === 390) {
          await page.setViewportSize({ width: 320, height });
          expect.soft(await sidewaysPx(page), `sideways at 320 px: ${look}`).toBe(0);
        }
        expect.soft(await sidewaysPx(page), `sideways: ${look}`).toBe(0);
        expect.soft(problems, `console: ${look}`).toEqual([]);
        expect.soft(await page.evaluate(() => 'wasAttacked' in globalThis), `attacked: ${look}`).toBe(false);
        await context.close();
      }
    },
  );
});
