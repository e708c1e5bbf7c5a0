import type { Page } from 'playwright-core';
import { buildUi, uiFolder } from '../../src/app/build-ui.ts';
import { launchBrowser, openPage } from '../browser/browser.ts';
import { FixtureServer } from '../browser/fixtures/fixture-server.ts';
import { longLog } from '../browser/fixtures/sample-logs.ts';
import type { Benchmark, Comparison } from './harness.ts';

const pipeline = '/shop/storefront/pipelines/4127';
const step = 'lint + types';

/** Milliseconds from the click on a step to its first rows, or to all its lines; as the page itself sees it. */
function openLog(page: Page, lines: number, upTo: 'first rows' | 'all lines'): Promise<number> {
  return page.evaluate(
    async ({ name, wanted, isFirst }) => {
      const button = [...document.querySelectorAll<HTMLElement>('.step-list button')].find((one) =>
        one.textContent?.includes(name),
      );
      const startMs = performance.now();
      button?.click();
      await new Promise<void>((done) => {
        const look = (): void => {
          const first = document.querySelector('.log-row')?.textContent ?? '';
          const count = document.querySelector('.log-bar > .number')?.textContent ?? '';
          if (first.includes('make everything') && (isFirst || count.includes(wanted))) done();
          else requestAnimationFrame(look);
        };
        look();
      });
      const tookMs = performance.now() - startMs;
      const nodes = document.querySelectorAll('.log-view *').length;
      if (nodes >= 500) throw new Error(`The log viewer has ${nodes} nodes`);
      return tookMs;
    },
    { name: step, wanted: lines.toLocaleString('en-GB'), isFirst: upTo === 'first rows' },
  );
}

/** The same text as an element per line, in one go: the way of viewers without a window. */
function plainDom(page: Page, text: string): Promise<number> {
  return page.evaluate(async (whole) => {
    const startMs = performance.now();
    const list = document.createElement('div');
    for (const [i, line] of whole.split('\n').entries()) {
      const row = document.createElement('div');
      const number = document.createElement('span');
      number.textContent = String(i + 1);
      const content = document.createElement('span');
      content.textContent = line;
      row.append(number, content);
      list.append(row);
    }
    document.body.append(list);
    list.getBoundingClientRect();
    await new Promise((done) => requestAnimationFrame(done));
    const tookMs = performance.now() - startMs;
    list.remove();
    return tookMs;
  }, text);
}

export const benchmark: Benchmark = {
  id: 'L4',
  title: 'opening a log in Chromium, fetched over HTTP, with fewer than 500 nodes',
  async prepare() {
    await buildUi(() => {});
    const server = new FixtureServer(uiFolder);
    const base = await server.start();
    const browser = await launchBrowser();
    const stepId = server.world.pipelines
      .get('shop/storefront')!
      .find(({ number }) => number === 4127)!
      .steps.find(({ name }) => name === step)!.id;

    const comparison = (lines: number, goalMs: number): Comparison => ({
      variant: `${lines.toLocaleString('en-GB')} lines`,
      peer: lines > 100_000 ? 'none' : 'plain DOM, text already there',
      unit: 'ms',
      pairs: 10,
      warmUps: 1,
      async gantry() {
        server.world.logs.set(stepId, longLog(lines));
        const { page, context } = await openPage(browser);
        await page.goto(`${base}${pipeline}#clone`);
        await page.locator('.log-row').first().waitFor();
        const tookMs = await openLog(page, lines, 'all lines');
        await context.close();
        server.cutStreams();
        return tookMs;
      },
      ...(lines > 100_000
        ? {}
        : {
            async peerRun() {
              const { page, context } = await openPage(browser);
              await page.goto(`${base}/login`);
              const tookMs = await plainDom(page, longLog(lines).toString());
              await context.close();
              return tookMs;
            },
          }),
      goal: `≤ ${goalMs} ms, < 500 nodes`,
      isMet: ({ gantry }) => gantry.p50 <= goalMs,
    });
    return {
      comparisons: [comparison(100_000, 50), comparison(1_000_000, 250)],
      async cleanUp() {
        await browser.close();
        await server.stop();
      },
    };
  },
};
