import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Debian's Chromium, or the one that CHROMIUM names; looks up nothing in the network. */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  if (!existsSync(executablePath))
    throw new Error(`Cannot test in a browser: there is no ${executablePath}; install the package chromium`);
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--font-render-hinting=none',
      // An origin that is neither https nor localhost, as many a Gantry in a company network is.
      '--host-resolver-rules=MAP gantry.test 127.0.0.1',
    ],
  });
}

export interface WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Console errors, script errors and violations of the CSP so far. */
  readonly problems: string[];
}

/** A page in a context of its own that writes down everything that goes wrong in it. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({
    locale: 'en-GB',
    timezoneId: 'Asia/Shanghai',
    viewport: { width: 1440, height: 900 },
    reducedMotion: 'reduce',
    ...options,
  });
  const page = await context.newPage();
  return { page, context, problems: watch(page) };
}

/**
 * Goes to an address and waits for its heading. A network interface of this machine that comes or goes cuts what
 * Chromium is loading; then it is loaded again.
 */
export async function visit(page: Page, address: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await page.goto(address, { waitUntil: 'load' });
      await page
        .locator('h1')
        .first()
        .waitFor({ timeout: attempt < 3 ? 10_000 : 30_000 });
      // A style sheet that was cut leaves a page that looks like nothing of ours: it is not there, or cannot be read.
      const isStyled = await page.evaluate(() =>
        Array.from(document.querySelectorAll<HTMLLinkElement>('link[rel=stylesheet]')).every(({ sheet }) => {
          try {
            return sheet !== null && sheet.cssRules.length > 0;
          } catch {
            return false;
          }
        }),
      );
      if (!isStyled) throw new Error(`Cannot look at ${address}: its style sheet did not come`);
      return;
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

function watch(page: Page): string[] {
  const problems: string[] = [];
  page.on('console', (message) => {
    // A visitor who is not signed in, and an address that nothing has, are errors to the browser and no fault of the
    // page; nor is a network interface of this machine that came or went.
    // Cross-Origin-Opener-Policy means something on https and localhost only, and browsers say so elsewhere.
    const isExpected =
      /status of 40[14]|net::ERR_NETWORK_CHANGED|Cross-Origin-Opener-Policy header has been ignored/.test(
        message.text(),
      );
    if (message.type() === 'error' && !isExpected) problems.push(message.text());
    if (/Content Security Policy|TrustedHTML|TrustedScript/i.test(message.text())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  return problems;
}

/** What axe finds against WCAG 2.2 AA and its own best practices. */
export async function findBarriers(page: Page): Promise<string[]> {
  // An injected script would break the CSP of the page under test, so axe runs through the debugger.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axeSource);
  const found: unknown = await page.evaluate(
    `axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']})
      .then((r) => r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ')).slice(0, 3).join(' | ')))`,
  );
  return found as string[];
}

/** By how many px the page scrolls sideways. */
export async function sidewaysPx(page: Page): Promise<number> {
  return page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth));
}
