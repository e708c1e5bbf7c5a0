import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { findBarriers, launchBrowser, openPage, visit, type WatchedPage } from './browser.ts';
import { FixtureServer } from './fixtures/fixture-server.ts';
import { headCommit, makeWorld } from './fixtures/world.ts';

let server: FixtureServer;
let base: string;
let browser: Browser;
let watched: WatchedPage;
let page: Page;

beforeAll(async () => {
  server = new FixtureServer(inject('uiFolder'));
  base = await server.start();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});
beforeEach(async () => {
  server.world = makeWorld();
  watched = await openPage(browser);
  page = watched.page;
});
afterEach(async () => {
  expect(watched.problems).toEqual([]);
  await watched.context.close();
});

describe('the page of a pipeline', () => {
  it('goes from a skipped step to the rule that skipped it, under an address of its own', async () => {
    await visit(page, `${base}/shop/storefront/pipelines/4127#build%20image`);
    await page.getByRole('button', { name: 'Show the rule that decided' }).click();
    const wanted = page.locator('.trace-step.wanted');
    await wanted.getByText('step.after-failure').waitFor();
    await expect.poll(() => new URL(page.url()).searchParams.get('of')).toBe('default/build image');
    await page.getByRole('button', { name: 'Only what did not run' }).click();
    await page.getByText('trigger.matched').waitFor({ state: 'detached' });
    await wanted.waitFor();
  });

  it('shows the file as it read beside what is written, or alone', async () => {
    await visit(page, `${base}/shop/storefront/pipelines/4127?tab=yaml`);
    await page.getByRole('group', { name: 'As written' }).getByText('${NODE_VERSION:-24}').waitFor();
    await page.getByRole('group', { name: 'As it read' }).getByText('base/node:24').waitFor();
    await page.getByText('3 lines replaced').waitFor();
    await page.getByRole('button', { name: 'As it read' }).click();
    await page.getByRole('group', { name: 'As written' }).waitFor({ state: 'detached' });
    await expect.poll(() => page.locator('.overview .source-mark').count()).toBe(3);
  });

  it('finds a variable of the chosen step, and shows of a secret the name alone', async () => {
    await visit(page, `${base}/shop/storefront/pipelines/4127?tab=variables`);
    await page.getByText('branch = feat/multi-currency').waitFor();
    await page.getByRole('searchbox', { name: 'Search names, values, sources' }).fill('secret');
    await page.getByRole('status').getByText('1 of 7').waitFor();
    const row = page.getByRole('row', { name: /NPM_TOKEN/ });
    await expect.poll(() => row.innerText()).toMatch(/masked: secret npm_token/);
  });

  it('tells how much longer than usual a step took', async () => {
    await visit(page, `${base}/shop/storefront/pipelines/4127?tab=timeline`);
    const row = page.getByRole('row', { name: /install dependencies/ });
    await row.getByText('2.0× its median').waitFor();
    await expect
      .poll(() => row.locator('.slow').getAttribute('title'))
      .toBe('median 19s of 20 passed runs on feat/multi-currency');
    const parts = (): Promise<(string | null)[]> =>
      row.locator('rect').evaluateAll((all) => all.map((part) => part.getAttribute('class')));
    await expect.poll(parts).toEqual(['queue', 'pull', 'prepare', 'run passed']);
  });

  it('folds the sets of a matrix but those that failed, in the list and in the graph', async () => {
    await visit(page, `${base}/shop/payments/pipelines/11`);
    const list = page.getByRole('navigation', { name: 'Steps' });
    await list.getByText('9 sets of a matrix').waitFor();
    await list.getByText('test (DB=mysql GO=1.21)').waitFor();
    await expect.poll(() => list.getByText('test (DB=pg GO=1.20)').isVisible()).toBe(false);
    await list.getByText('8 others').click();
    await expect.poll(() => list.getByText('test (DB=pg GO=1.20)').isVisible()).toBe(true);
    const graph = page.getByRole('group', { name: 'Graph of workflows and steps' });
    await expect.poll(() => graph.locator('.node').count()).toBe(3);
    await graph.getByRole('button', { name: /test/ }).click();
    await graph.getByText('test (DB=sqlite GO=1.22)').waitFor();
    await graph.getByRole('button', { name: 'Fold test' }).first().click();
    await graph.getByText('test (DB=sqlite GO=1.22)').waitFor({ state: 'detached' });
  });
});

describe('the trial of a pipeline file', () => {
  const text = () => page.getByRole('textbox', { name: 'Text of .gantry.yml' });

  it('finds a fault as it is typed, at its line, and goes there', async () => {
    await visit(page, `${base}/shop/storefront/pipeline-file`);
    await page.getByText('Nothing to mend.').waitFor();
    await text().fill('kind: pipeline\nname: a\nsteps:\n  - name: x\n    image: base/node:24\n    comands: [a]\n');
    await page.getByText('did you mean "commands"?').waitFor();
    await expect.poll(() => page.locator('.editor .source-mark.error').count()).toBe(1);
    await page.getByRole('button', { name: 'line 6' }).first().click();
    await page.waitForFunction(() => {
      const area = document.activeElement;
      return area instanceof HTMLTextAreaElement && area.value.slice(area.selectionStart).startsWith('    comands');
    });
    await page.getByRole('button', { name: 'Discard changes' }).click();
    await page.getByText('Nothing to mend.').waitFor();
  });

  it('shows what would run at the event that is chosen, and why not', async () => {
    await visit(page, `${base}/shop/storefront/pipeline-file`);
    await text().fill(
      'kind: pipeline\nname: a\ntrigger: {branch: main, paths: ["docs/**"]}\nsteps:\n  - {name: build, image: x, commands: [a]}\n  - {name: ship, image: x, commands: [b], when: {event: tag}}\n',
    );
    await page.getByText('This event would start a pipeline.').waitFor();
    const graph = page.getByRole('group', { name: 'Graph of workflows and steps' });
    await graph.locator('.node.skipped').getByText('ship').waitFor();
    await page.getByText('step.when.event').waitFor();
    await page.getByLabel('Changed paths').fill('src/a.ts');
    await page.getByText('This event would start nothing.').waitFor();
    await page.getByLabel('Changed paths').fill('docs/a.md');
    await page.getByText('This event would start a pipeline.').waitFor();
    await page.getByLabel('Branch').fill('feat/x');
    await page.getByText('This event would start nothing.').waitFor();
    await page.getByText('trigger.branch').waitFor();
  });

  it('suggests keys where they may stand, by keyboard alone', async () => {
    await visit(page, `${base}/shop/storefront/pipeline-file`);
    await text().fill('kind: pipeline\nsteps:\n  - name: test\n    ');
    await text().press('End');
    const option = (name: string) => page.getByRole('option', { name, exact: false });
    await expect.poll(() => page.getByRole('listbox').count()).toBe(0);
    await text().press('Control+Space');
    await option('image').waitFor();
    await expect.poll(() => option('steps').count()).toBe(0);
    expect(await findBarriers(page)).toEqual([]);
    await text().press('Escape');
    await page.getByRole('listbox').waitFor({ state: 'detached' });
    await text().pressSequentially('com');
    await option('commands').waitFor();
    await text().press('ArrowDown');
    await text().press('ArrowUp');
    await text().press('Enter');
    await text().pressSequentially('make');
    await expect
      .poll(() => text().inputValue())
      .toBe('kind: pipeline\nsteps:\n  - name: test\n    commands:\n      - make');
  });

  it('commits what was changed, to the branch or to a new one, and asks before it is left', async () => {
    await visit(page, `${base}/shop/storefront/pipeline-file`);
    const commit = page.getByRole('button', { name: 'Commit …' });
    await text().waitFor();
    await expect.poll(() => commit.count()).toBe(0);
    await text().fill('kind: pipeline\nsteps: []\n');

    const questions: string[] = [];
    page.once('dialog', (dialog) => {
      questions.push(dialog.message());
      void dialog.dismiss();
    });
    await page.getByRole('link', { name: 'Pipelines' }).first().click();
    expect(questions).toEqual([expect.stringContaining('not committed')]);
    await expect.poll(() => text().inputValue()).toBe('kind: pipeline\nsteps: []\n');

    await commit.click();
    expect(await findBarriers(page)).toEqual([]);
    await page.getByLabel('Start a new branch').check();
    await page.getByLabel('Branch', { exact: true }).last().fill('try/less');
    await page.getByLabel('Message').fill('Less');
    await page.getByRole('button', { name: 'Commit', exact: true }).click();
    await page.getByText('Committed c0ffee0 to try/less').waitFor();
    expect(server.committed).toEqual([
      {
        branch: 'try/less',
        isNewBranch: true,
        base: headCommit,
        message: 'Less',
        files: [{ path: '.gantry.yml', text: 'kind: pipeline\nsteps: []\n' }],
      },
    ]);
    await page.waitForURL(/branch=try%2Fless/);
    await page.getByText('on try/less').waitFor();
    // Nothing is left to be lost.
    await page.getByRole('link', { name: 'Pipelines' }).first().click();
    await page.waitForURL(/\/pipelines$/);
  });

  it('keeps the text when the branch has moved on meanwhile', async () => {
    await visit(page, `${base}/shop/storefront/pipeline-file`);
    await text().fill('kind: pipeline\nsteps: []\n');
    await page.getByRole('button', { name: 'Commit …' }).click();
    server.world.commits.unshift({ ...server.world.commits[0]!, id: 'b'.repeat(40) });
    await page.getByRole('button', { name: 'Commit', exact: true }).click();
    await page.getByText('it is somewhere else now').waitFor();
    expect(watched.problems.splice(0)).toEqual([expect.stringContaining('409')]);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await expect.poll(() => text().inputValue()).toBe('kind: pipeline\nsteps: []\n');
  });

  it('keeps the indentation of the line at Enter, and lets Tab leave', async () => {
    await visit(page, `${base}/shop/storefront/pipeline-file`);
    await text().fill('steps:\n  - name: x');
    await text().press('End');
    await text().press('Enter');
    await text().pressSequentially('image: y');
    await expect.poll(() => text().inputValue()).toBe('steps:\n  - name: x\n  image: y');
    await text().press('Tab');
    await expect.poll(() => text().evaluate((area) => area === document.activeElement)).toBe(false);
  });

  it('hands the text out as a file', async () => {
    await visit(page, `${base}/shop/storefront/pipeline-file`);
    await text().waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download' }).click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/gantry\.yml$/);
  });
});
