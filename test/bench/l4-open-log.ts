import type { Page } from 'playwright-core';
import { buildUi } from '../../src/app/build-ui.ts';
import { launchBrowser, openPage } from '../browser/browser.ts';
import type { Benchmark, Comparison } from './harness.ts';
import { WholeWorld } from './whole-world.ts';

/** What the step prints: a line in seven is coloured, and one that fails is followed by what other tests say. */
const script = `
const lines = Number(process.argv[1]);
const failing = lines - 300;
const [escape, end] = [String.fromCharCode(27), String.fromCharCode(10)];
let text = '';
for (let i = 0; i < lines; i += 1) {
  text += i === failing ? escape + '[31m✗ cart/totals.spec.ts › rounds JPY totals to whole yen' + escape + '[39m'
    : i % 7 === 0 ? escape + '[32m✓' + escape + '[39m suite ' + i + ' passes in ' + escape + '[2m' + (i % 90) + ' ms' + escape + '[22m'
    : 'line of output with some words in it, number ' + i + ', and 一些中文 in between';
  text += end;
  if (text.length > 100000) { require('node:fs').writeSync(1, text); text = ''; }
}
require('node:fs').writeSync(1, text);
process.exitCode = 1;
`;
const stepOf = (lines: number): string => `  - name: lines-${lines}
    image: base/node:24
    commands: ["node -e \\"$SCRIPT\\" ${lines - 1}"]
    environment: {SCRIPT: ${JSON.stringify(script)}}
    failure: ignore
`;
const file = `kind: pipeline
name: default
clone: {disable: true}
steps:
  - name: hello
    image: base/node:24
    commands: [echo hello]
${stepOf(100_000)}${stepOf(1_000_000)}`;

interface Opening {
  /** The failing line stands in sight, and the bar says how many lines there are. */
  readonly paintedMs: number;
  /** Every line is in the browser. */
  readonly wholeMs: number;
}

/** Clicks on a step and waits, as the page itself sees it: until the frame is on its way in which the condition holds. */
function openLog(page: Page, lines: number): Promise<Opening> {
  return page.evaluate(
    async ({ name, wanted }) => {
      const button = [...document.querySelectorAll<HTMLElement>('.step-list button')].find((one) =>
        one.textContent?.includes(name),
      );
      const startMs = performance.now();
      button?.click();
      const until = (holds: () => boolean): Promise<number> =>
        new Promise((done, fail) => {
          const look = (): void => {
            if (performance.now() - startMs > 30_000) fail(new Error('The log was not shown within 30 s'));
            // Within a frame, before it is painted; a message posted from there comes when it has been.
            if (!holds()) {
              requestAnimationFrame(look);
              return;
            }
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => done(performance.now() - startMs);
            port2.postMessage('');
          };
          requestAnimationFrame(look);
        });
      const isInSight = (row: Element): boolean => {
        const view = row.closest('.log-view')?.getBoundingClientRect();
        const box = row.getBoundingClientRect();
        return view !== undefined && box.top >= view.top && box.bottom <= view.bottom;
      };
      const paintedMs = await until(() => {
        const failing = [...document.querySelectorAll('.log-row')].find((row) =>
          row.textContent?.includes('rounds JPY'),
        );
        const count = document.querySelector('.log-bar > .number')?.textContent ?? '';
        return failing !== undefined && isInSight(failing) && count.includes(wanted);
      });
      const nodes = document.querySelectorAll('.log-view *').length;
      if (nodes >= 500) throw new Error(`The log viewer has ${nodes} nodes`);
      const wholeMs = await until(() => document.querySelector('.log-view')?.getAttribute('aria-busy') === 'false');
      return { paintedMs, wholeMs };
    },
    { name: `lines-${lines}`, wanted: lines.toLocaleString('en-GB') },
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

/**
 * Opening the log of a failed step that really ran, in a page of the built UI served by a whole Gantry, in a context
 * without any cache. Measured from the click on the step to the moment at which what the user came for is painted:
 * the failing line in sight, the scrollbar and the count of all lines right, and fewer than
 * 500 nodes in the viewer. The bytes of the rest are fetched behind that; when the last one is in the browser, and
 * search and error marks cover everything, is the second figure of each size, which has no goal of its own.
 * The peer has the text already and makes an element for each line.
 */
export const benchmark: Benchmark = {
  id: 'L4',
  title: 'opening a log at its failing line in Chromium, with fewer than 500 nodes',
  async prepare() {
    await buildUi(() => {});
    const world = await WholeWorld.start(
      // A million lines are more than the default limit.
      { runtime: 'sandbox', settings: { GANTRY_LOG_LIMIT: '256MiB' } },
      { '.gantry.yml': file },
    );
    const { gantry } = world;
    await gantry.client('updateProject', {
      params: { owner: 'admin', project: 'bench' },
      body: { visibility: 'public' },
    });
    const browser = await launchBrowser();

    async function open(lines: number): Promise<Opening> {
      const { page, context } = await openPage(browser);
      await page.goto(`${gantry.url}/admin/bench/pipelines/1#hello`);
      await page.locator('.log-row').first().waitFor();
      const opening = await openLog(page, lines);
      await context.close();
      return opening;
    }

    async function textOf(lines: number): Promise<string> {
      const { steps } = await gantry.client('getPipeline', { params: { owner: 'admin', project: 'bench', number: 1 } });
      const step = steps.find(({ name }) => name === `lines-${lines}`)!;
      const response = await fetch(`${gantry.url}/api/v1/projects/admin/bench/pipelines/1/steps/${step.id}/log`);
      return response.text();
    }

    const comparisons = [100_000, 1_000_000].flatMap((lines): Comparison[] => {
      const goalMs = lines > 100_000 ? 250 : 50;
      return [
        {
          variant: `${lines.toLocaleString('en-GB')} lines, failing line painted and all counted`,
          peer: lines > 100_000 ? 'none' : 'plain DOM, text already there',
          unit: 'ms',
          pairs: 10,
          warmUps: 1,
          gantry: async () => (await open(lines)).paintedMs,
          ...(lines > 100_000
            ? {}
            : {
                async peerRun() {
                  const text = await textOf(lines);
                  const { page, context } = await openPage(browser);
                  await page.goto(`${gantry.url}/login`);
                  const tookMs = await plainDom(page, text);
                  await context.close();
                  return tookMs;
                },
              }),
          goal: `≤ ${goalMs} ms, < 500 nodes`,
          isMet: ({ gantry: ours }) => ours.p50 <= goalMs,
        },
        {
          variant: `${lines.toLocaleString('en-GB')} lines, all of them in the browser`,
          peer: 'none',
          unit: 'ms',
          pairs: 5,
          warmUps: 0,
          gantry: async () => (await open(lines)).wholeMs,
          goal: 'none: behind what one came to see',
        },
      ];
    });
    return {
      comparisons,
      async cleanUp() {
        await browser.close();
        await world.stop();
      },
    };
  },
};
