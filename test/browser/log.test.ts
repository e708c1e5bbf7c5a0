import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { launchBrowser, openPage, type WatchedPage } from './browser.ts';
import { FixtureServer } from './fixtures/fixture-server.ts';
import { hostileLines, longLog } from './fixtures/sample-logs.ts';
import { makeWorld } from './fixtures/world.ts';

const failed = '/shop/storefront/pipelines/4127';
const running = '/shop/storefront/pipelines/4128';

describe('the log viewer', () => {
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
    server.isStreamRefused = false;
    server.logDownloads = Promise.resolve();
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

  const open = async (path: string): Promise<WatchedPage> => {
    const opened = await openPage(browser);
    contexts.push(opened.context);
    await opened.page.goto(base + path);
    await opened.page.locator('.log-row').first().waitFor();
    return opened;
  };
  const stepId = (number: number, name: string): number => {
    const pipeline = server.world.pipelines.get('shop/storefront')?.find((one) => one.number === number);
    const step = pipeline?.steps.find((one) => one.name === name);
    if (!step) throw new Error(`Cannot test: there is no step ${name}`);
    return step.id;
  };
  const row = (page: Page, line: number) =>
    page.locator('.log-row').filter({ has: page.locator('.line-number', { hasText: new RegExp(`^${line}$`) }) });

  it('opens at the failing line, with other commands folded', async () => {
    const { page } = await open(failed);
    await expect.poll(() => row(page, 1685).textContent()).toContain('rounds JPY totals');
    await expect.poll(() => row(page, 1685).evaluate(isInSight)).toBe(true);
    await page.locator('.log-view').evaluate((view) => view.scrollTo({ top: 0 }));
    const header = page.locator('.log-row.command button').first();
    await expect.poll(() => header.getAttribute('aria-expanded')).toBe('false');
    await expect.poll(() => header.textContent()).toContain('481 lines');
  });

  it.each([100_000, 1_000_000])('opens %d lines quickly and with few nodes', async (lines) => {
    const { page, problems, context } = await openPage(browser);
    contexts.push(context);
    server.world.logs.set(stepId(4127, 'lint + types'), longLog(lines));
    await page.goto(`${base}${failed}#clone`);
    await page.locator('.log-row').first().waitFor();
    // From the click to the first rows, and to all lines, as the page itself sees it.
    const times = await page.evaluate(async (wanted) => {
      const button = [...document.querySelectorAll<HTMLElement>('.step-list button')].find((one) =>
        one.textContent?.includes('lint + types'),
      );
      const until = (condition: () => boolean): Promise<number> =>
        new Promise((done) => {
          const look = (): void => {
            if (condition()) done(performance.now());
            else requestAnimationFrame(look);
          };
          look();
        });
      const start = performance.now();
      button?.click();
      const first = await until(() =>
        (document.querySelector('.log-row')?.textContent ?? '').includes('make everything'),
      );
      const all = await until(() => (document.querySelector('.log-bar > .number')?.textContent ?? '').includes(wanted));
      return { firstMs: first - start, allMs: all - start };
    }, lines.toLocaleString('en-GB'));
    console.log(
      `log of ${lines} lines: first rows ${Math.round(times.firstMs)} ms, all lines ${Math.round(times.allMs)} ms`,
    );
    expect(times.firstMs).toBeLessThan(1_000);
    await page.locator('.log-view').evaluate((view) => view.scrollTo({ top: view.scrollHeight }));
    await expect.poll(() => page.locator('.log-row').last().textContent()).toContain('the very last line');
    await expect.poll(() => page.locator('.log *').count()).toBeLessThan(500);
    expect(problems).toEqual([]);
  });

  it('shows what one came to see before the rest has come, and any other place that is looked at', async () => {
    const downloads = Promise.withResolvers<void>();
    server.logDownloads = downloads.promise;
    server.world.logs.set(stepId(4127, 'lint + types'), longLog(50_000));
    const { page } = await open(`${failed}#lint%20%2B%20types:L40000`);
    await expect.poll(() => row(page, 40_000).evaluate(isInSight)).toBe(true);
    await expect.poll(() => page.locator('.log-bar > .number').textContent()).toMatch(/^50,000 lines · \d % loaded$/);
    const view = page.locator('.log-view');
    await expect.poll(() => view.getAttribute('aria-busy')).toBe('true');
    await view.evaluate((element) => element.scrollTo({ top: element.scrollHeight }));
    await expect.poll(() => page.locator('.log-row').last().textContent()).toContain('the very last line');
    await view.evaluate((element) => element.scrollTo({ top: 20 * 10_000 }));
    await expect.poll(() => row(page, 10_004).textContent()).toContain('number 2');
    const matches = page.locator('.log-search [role="status"]');
    await page.locator('.log-search input').fill('make everything');
    await expect.poll(() => matches.textContent()).toBe('no match…');
    await page.locator('.log-search input').fill('ver');
    await expect.poll(() => matches.textContent()).toBe('1 of 1…');
    await expect.poll(() => page.locator('.log-row.current').textContent()).toContain('the very last line');
    downloads.resolve();
    await expect.poll(() => view.getAttribute('aria-busy')).toBe('false');
    // What is found before it does not move it.
    await expect.poll(() => matches.textContent()).toBe('2 of 2');
    await expect.poll(() => page.locator('.log-row.current').textContent()).toContain('the very last line');
    await expect.poll(() => page.locator('.log-bar > .number').textContent()).toBe('50,000 lines');
  });

  it('shows when lines came, as chosen by mouse or key, and remembers it', async () => {
    const { page } = await open(failed);
    await expect.poll(() => page.locator('.log-time').count()).toBe(0);
    await page.getByLabel('Times of lines').selectOption('step');
    await expect.poll(() => row(page, 1685).locator('.log-time').textContent()).toMatch(/^0:\d\d\.\d$/);
    // Lines after it came no earlier.
    const times = await page.locator('.log-row .log-time').allTextContents();
    expect(times).toEqual(times.toSorted());
    expect(new Set(times).size).toBeGreaterThan(1);
    await expect
      .poll(() => page.getByRole('link', { name: 'Download log', exact: true }).getAttribute('href'))
      .toMatch(/\/log\?timestamps=1$/);
    await page.locator('.log-view').focus();
    await page.keyboard.press('t');
    await expect.poll(() => row(page, 1685).locator('.log-time').textContent()).toMatch(/^\d\d:\d\d:\d\d$/);
    await expect.poll(() => row(page, 1685).locator('.log-time').getAttribute('title')).toContain('(UTC+8)');
    await page.reload();
    await expect
      .poll(() => row(page, 1685).locator('.log-time').textContent(), { timeout: 10_000 })
      .toMatch(/^\d\d:\d\d:\d\d$/);
    await page.locator('.log-view').focus();
    await page.keyboard.press('t');
    await expect.poll(() => page.locator('.log-time').count()).toBe(0);
  });

  it('shows the time of a line that just came', async () => {
    const { page } = await open(running);
    await page.getByLabel('Times of lines').selectOption('step');
    await expect.poll(() => server.viewers.size).toBe(1);
    server.appendLog(stepId(4128, 'test'), 'a line that just came\n');
    await expect
      .poll(() => page.locator('.log-row', { hasText: 'just came' }).locator('.log-time').textContent())
      .toMatch(/^0:00\.\d$/);
  });

  it('says how long each command took', async () => {
    const { page } = await open(failed);
    await page.locator('.log-view').evaluate((view) => view.scrollTo({ top: 0 }));
    // Printed in the first chunk; the next command in the one 40 chunks later.
    await expect.poll(() => page.locator('.log-row.command button').first().textContent()).toMatch(/481 lines\d+s$/);
  });

  it('copies the chosen lines as a quote, their link, and the command that prints the log', async () => {
    const { page, context } = await open(`${failed}#unit%20tests:L1685-L1686`);
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const copied = async (label: string): Promise<string> => {
      await page.getByRole('button', { name: label }).click();
      await page.getByRole('button', { name: 'Copied' }).waitFor();
      const text = await page.evaluate(() => navigator.clipboard.readText());
      await page.getByRole('button', { name: label }).waitFor();
      return text;
    };
    const link = `${base}${failed}#unit%20tests:L1685-L1686`;
    expect(await copied('Copy the link')).toBe(link);
    expect(await copied('Copy as a Markdown quote')).toBe(
      `\`\`\`\n✗ cart/totals.spec.ts › rounds JPY totals to whole yen\n  AssertionError: expected 1200, received 1199.99\n\`\`\`\n${link}\n`,
    );
    expect(await copied('Copy as a command')).toMatch(
      /^gantry logs 4127 '\w+\/unit tests' --project shop\/storefront$/,
    );
  });

  it('finds what stands in a folded command, and shows it', async () => {
    const { page } = await open(failed);
    await page.locator('.log-view').focus();
    await page.keyboard.press('Control+f');
    await page.keyboard.type('package-321');
    await expect.poll(() => page.locator('.log-row.current').textContent()).toContain('package-321');
    await expect.poll(() => page.locator('.log-search [role="status"]').textContent()).toBe('1 of 1');
    await page.locator('.log-search input').fill('module-1200');
    await expect.poll(() => page.locator('.log-row.current').textContent()).toContain('module-1200');
    // Colours stand between the letters in the bytes, and not for the reader.
    await page.locator('.log-search input').fill('1 failed | 1841 passed');
    await expect.poll(() => page.locator('.log-row.current').textContent()).toContain('1 failed | 1841 passed');
  });

  it('leads a link to its lines, opened fresh and pasted into the same tab', async () => {
    const { page } = await open(`${failed}#unit%20tests:L12-L14`);
    await expect.poll(() => page.locator('.log-row.chosen').count()).toBe(3);
    await expect.poll(() => row(page, 12).evaluate(isInSight)).toBe(true);
    await page.evaluate(() => {
      location.hash = '#unit%20tests:L2100';
    });
    await expect
      .poll(async () => ((await row(page, 2100).count()) ? row(page, 2100).getAttribute('class') : ''))
      .toContain('chosen');
    await row(page, 2102).locator('.line-number').click();
    await expect.poll(() => new URL(page.url()).hash).toBe('#unit%20tests:L2102');
    await row(page, 2105)
      .locator('.line-number')
      .click({ modifiers: ['Shift'] });
    await expect.poll(() => new URL(page.url()).hash).toBe('#unit%20tests:L2102-L2105');
    await expect.poll(() => page.locator('.log-row.chosen').count()).toBe(4);
    // Another step by its link alone.
    await page.evaluate(() => {
      location.hash = '#clone';
    });
    await expect.poll(() => page.locator('.step-head b').textContent()).toBe('clone');
  });

  it('chooses lines by keyboard alone', async () => {
    const { page } = await open(`${failed}#clone`);
    await page.locator('.log-view').focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Shift+ArrowDown');
    await expect.poll(() => new URL(page.url()).hash).toBe('#clone:L2-L3');
    await page.keyboard.press('Escape');
    await expect.poll(() => new URL(page.url()).hash).toBe('#clone');
  });

  it('shows what attackers print as text', async () => {
    const { page, problems } = await open('/shop/hostile/pipelines/1');
    await expect.poll(() => page.locator('.log-row').count()).toBe(hostileLines.length);
    const text = await page.locator('.log-window').textContent();
    for (const shown of [
      '<script>globalThis',
      '<img src=x onerror',
      "' onmouseover=",
      'shown part',
      '[U+202E]',
      '&lt;script&gt;',
    ])
      expect(text).toContain(shown);
    expect(text).not.toContain('hidden part');
    expect(text).not.toContain('window title\x07');
    const links = await page
      .locator('.log-window a')
      .evaluateAll((all) => all.map((one) => one.getAttribute('href') ?? ''));
    for (const link of links) expect(link).toMatch(/^https:\/\//);
    await expect.poll(() => page.locator('.log-window :is(script, img, svg:not(.icon), iframe)').count()).toBe(0);
    await expect
      .poll(() => page.locator('.log-window [onclick], .log-window [onmouseover], .log-window [onerror]').count())
      .toBe(0);
    await expect.poll(() => page.evaluate(() => 'wasAttacked' in globalThis)).toBe(false);
    expect(problems).toEqual([]);
  });

  it('survives a line of 5 MB and says how to see it whole', async () => {
    server.world.logs.set(stepId(4127, 'clone'), Buffer.from(`before\n${'x'.repeat(5_000_000)}\nafter\n`));
    const { page } = await open(`${failed}#clone`);
    await expect.poll(() => page.locator('.log-row').count()).toBe(3);
    expect((await row(page, 2).textContent())?.length).toBeLessThan(30_000);
    await expect.poll(() => page.locator('.log-cut').getAttribute('href')).toMatch(/\/log$/);
    await page.getByRole('button', { name: 'Wrap' }).click();
    await expect.poll(() => page.locator('.log-view').evaluate((view) => view.scrollWidth - view.clientWidth)).toBe(0);
  });

  it('follows a growing log, and stops when the reader scrolls up', async () => {
    const { page } = await open(running);
    const id = stepId(4128, 'test');
    for (let i = 0; i < 200; i++) server.appendLog(id, `line ${i} of the run\n`);
    await expect.poll(() => page.locator('.log-row').last().textContent()).toContain('line 199');
    await page.locator('.log-view').evaluate((view) => view.scrollTo({ top: 0 }));
    await expect.poll(() => page.getByRole('button', { name: 'Follow' }).getAttribute('aria-pressed')).toBe('false');
    for (let i = 200; i < 212; i++) server.appendLog(id, `line ${i} of the run\n`);
    await page.getByRole('button', { name: '12 new lines' }).click();
    await expect.poll(() => page.locator('.log-row').last().textContent()).toContain('line 211');
  });

  it('goes on answering while 10,000 lines a second come in', async () => {
    const { page } = await open(running);
    const id = stepId(4128, 'test');
    await expect.poll(() => server.viewers.size).toBe(1);
    const frames = page.evaluate(async () => {
      const deltas: number[] = [];
      let last = performance.now();
      const end = last + 3_000;
      while (last < end) {
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        deltas.push(now - last);
        last = now;
      }
      return deltas.sort((a, b) => a - b)[Math.floor(deltas.length * 0.95)] ?? 0;
    });
    let line = 0;
    const timer = setInterval(() => {
      server.appendLog(id, Array.from({ length: 200 }, () => `\x1b[32mline\x1b[0m ${line++} of many\n`).join(''));
    }, 20);
    const p95Ms = await frames;
    clearInterval(timer);
    console.log(`following ${line} lines in 3 s: p95 frame ${Math.round(p95Ms)} ms`);
    expect(p95Ms).toBeLessThan(250);
    await expect.poll(() => page.locator('.log-row').last().textContent()).toContain(`line ${line - 1} of`);
    await expect.poll(() => page.locator('.log *').count()).toBeLessThan(500);
  });

  it('has no gap and no double after lost pieces, repeated ones and a cut stream', async () => {
    const { page } = await open(running);
    const id = stepId(4128, 'test');
    await expect.poll(() => server.viewers.size).toBe(1);
    const expected = ['+ npm test', 'starting the suite'];
    const say = (text: string, options?: { isTold?: boolean; isEnd?: boolean }): void => {
      expected.push(text);
      server.appendLog(id, `${text}\n`, options);
    };
    say('told');
    say('lost 1', { isTold: false });
    say('lost 2, 中文', { isTold: false });
    say('told after a loss');
    server.cutStreams();
    say('while away', { isTold: false });
    await expect.poll(() => server.viewers.size, { timeout: 10_000 }).toBe(1);
    // A piece in the middle of a character.
    const [first, second] = ['半', '字'].map((letter) => Buffer.from(letter));
    const whole = Buffer.concat([first ?? Buffer.alloc(0), second ?? Buffer.alloc(0)]).toString();
    say(whole);
    say('the end', { isEnd: true });
    await expect
      .poll(async () => (await page.locator('.log-row .log-text').allTextContents()).map((text) => text.trim()), {
        timeout: 15_000,
      })
      .toEqual(expected.map((text) => text.replace('+ ', '')));
  });

  it('asks again and again where the stream does not get through, and says so', async () => {
    server.isStreamRefused = true;
    const { page } = await open(running);
    await page.getByText('Live updates are not getting through').waitFor({ timeout: 15_000 });
    server.appendLog(stepId(4128, 'test'), 'by polling\n');
    await expect.poll(() => page.locator('.log-window').textContent(), { timeout: 15_000 }).toContain('by polling');
  });

  it('shows an earlier attempt', async () => {
    const pipeline = server.world.pipelines.get('shop/storefront')?.find(({ number }) => number === 4127);
    const step = pipeline?.steps.find(({ name }) => name === 'unit tests');
    const workflow = pipeline?.workflows[0];
    if (!pipeline || !step || !workflow) throw new Error('Cannot test: the fixture lacks its pipeline');
    pipeline.workflows = [{ ...workflow, attempt: 2 }];
    step.attempt = 2;
    const { page } = await open(failed);
    await page.getByLabel('Attempt').selectOption('1');
    await expect.poll(() => page.locator('.log-window').textContent()).toContain('the first attempt');
    await expect.poll(() => new URL(page.url()).hash).toBe('#unit%20tests@1');
  });
});

/** Runs in the page. */
function isInSight(element: Element): boolean {
  const view = element.closest('.log-view')?.getBoundingClientRect();
  const box = element.getBoundingClientRect();
  return view !== undefined && box.top >= view.top && box.bottom <= view.bottom;
}
