import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { findBarriers, launchBrowser, openPage, sidewaysPx, visit, type WatchedPage } from './browser.ts';
import { FixtureServer } from './fixtures/fixture-server.ts';
import { presentMs } from './fixtures/world.ts';
import { looks, pictures } from './looks.ts';

/** What one load serves: the theme follows the system while a page is shown, as it does for people. */
const loads = looks.filter(({ colorScheme }) => colorScheme === 'light');
const themes = ['light', 'dark'] as const;
/** Eight looks at one page take 4 s where nothing else runs. */
const walkTimeoutMs = 300_000;

/**
 * Tests that each page (by name, with its path) has no error, no barrier and no sideways scroll in any look. Each
 * language keeps its tab from page to page, with the browser's cache and the shared event stream, as people do.
 */
export function walkPages(title: string, pages: Readonly<Record<string, string>>): void {
  describe(title, () => {
    let server: FixtureServer;
    let base: string;
    let browser: Browser;
    const tabs = new Map<string, WatchedPage>();

    beforeAll(async () => {
      server = new FixtureServer(inject('uiFolder'));
      base = await server.start();
      browser = await launchBrowser();
      await mkdir(pictures, { recursive: true });
      for (const { locale } of looks) {
        if (tabs.has(locale)) continue;
        const tab = await openPage(browser, { locale });
        await tab.page.clock.setFixedTime(presentMs);
        tabs.set(locale, tab);
      }
    });
    afterAll(async () => {
      await browser?.close();
      await server?.stop();
    });

    it.each(Object.entries(pages))(
      '%s has no error, no barrier and no sideways scroll in any look',
      async (name, path) => {
        server.world.needsSetup = name === 'set-up';
        for (const { locale, width, height } of loads) {
          const { page, problems } = tabs.get(locale)!;
          problems.length = 0;
          await page.setViewportSize({ width, height });
          await page.emulateMedia({ colorScheme: 'light' });
          await visit(page, base + path);
          await page.waitForFunction(() => !document.querySelector('.skeleton'));
          for (const colorScheme of themes) {
            const look = `${name} ${locale} ${colorScheme} ${width}`;
            await page.emulateMedia({ colorScheme });
            await page.waitForFunction((theme) => document.documentElement.dataset['theme'] === theme, colorScheme);
            // What is drawn must be the language asked for.
            expect(await page.locator('html').getAttribute('lang')).toBe(locale === 'zh-CN' ? 'zh-CN' : 'en');
            await page.screenshot({
              // Hiding the caret would take a style of Playwright's own, which the CSP of the page may refuse.
              caret: 'initial',
              path: join(pictures, `${name.replaceAll(' ', '-')}-${locale.slice(0, 2)}-${colorScheme}-${width}.png`),
            });
            expect.soft(await findBarriers(page), `barriers: ${look}`).toEqual([]);
            expect.soft(await sidewaysPx(page), `sideways: ${look}`).toBe(0);
            expect.soft(problems, `console: ${look}`).toEqual([]);
          }
          if (width === 390) {
            await page.setViewportSize({ width: 320, height });
            expect.soft(await sidewaysPx(page), `sideways at 320 px: ${name} ${locale}`).toBe(0);
          }
          expect
            .soft(await page.evaluate(() => 'wasAttacked' in globalThis), `attacked: ${name} ${locale} ${width}`)
            .toBe(false);
        }
      },
      walkTimeoutMs,
    );
  });
}
