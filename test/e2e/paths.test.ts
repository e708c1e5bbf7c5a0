import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'paths in .gantry.yml';

const file = `kind: pipeline
steps:
  - name: api
    image: base/busybox
    commands: [test "$(cat api/state)" = good]
    when: {paths: api/**}
  - name: web
    image: base/busybox
    commands: [cat web/page]
    when: {paths: web/**}
    depends_on: [clone]
`;

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  beforeAll(async () => {
    gantry = await GantryProcess.start({ runtime: 'sandbox' });
    await gantry.createProject('mono');
  });
  afterAll(() => gantry.dispose());

  let pushes = 0;
  /** Pushes and answers how the pipeline ended, its two steps, and the sentence's values about paths. */
  async function push(files: Readonly<Record<string, string>>, ref?: string): Promise<unknown[]> {
    await gantry.push('mono', files, ref);
    const number = ++pushes;
    const pipeline = await gantry.finished('mono', number);
    const { items } = await gantry.client('explainPipeline', { params: { owner: 'admin', project: 'mono', number } });
    const since = items.find(({ rule }) => rule.startsWith('event.paths'));
    const steps = ['api', 'web'].map((name) => pipeline.steps.find((step) => step.name === name)?.status);
    return [pipeline.status, ...steps, since?.rule, since?.values['pipeline']];
  }

  it('count from the last green pipeline: what failed is not left out because the next push touched another part', async () => {
    const first = { '.gantry.yml': file, 'api/state': 'good', 'web/page': 'one' };
    expect(await push(first)).toEqual(['passed', 'passed', 'passed', 'event.paths-all', undefined]);
    expect(await push({ 'api/state': 'bad' })).toEqual(['failed', 'failed', 'skipped', 'event.paths-since', 1]);
    expect(await push({ 'web/page': 'two' })).toEqual(['failed', 'failed', 'passed', 'event.paths-since', 1]);
    expect(await push({ 'api/state': 'good' })).toEqual(['passed', 'skipped', 'passed', 'event.paths-since', 1]);
  });

  it('leave everything out, and are green at once, where nothing that counts changed', async () => {
    expect(await push({ README: 'words' })).toEqual(['passed', 'skipped', 'skipped', 'event.paths-since', 4]);
  });

  it('count on a new branch from what was green on the default branch', async () => {
    expect(await push({ 'web/page': 'three' }, 'topic')).toEqual([
      'passed',
      'skipped',
      'passed',
      'event.paths-since',
      5,
    ]);
  });

  it('leave everything out where the push brought nothing, and run everything where that is started once more', async () => {
    await push({ 'web/page': 'four' });
    expect(await push({})).toEqual(['passed', 'skipped', 'skipped', 'event.paths-since', pushes - 1]);
    const params = { owner: 'admin', project: 'mono', number: pushes };
    await gantry.client('rerunPipeline', { params, body: { parameters: {} } });
    const again = await gantry.finished('mono', ++pushes);
    expect(again.steps.filter(({ kind }) => kind !== 'clone').map(({ status }) => status)).toEqual([
      'passed',
      'passed',
    ]);
    const { items } = await gantry.client('explainPipeline', { params: { ...params, number: pushes } });
    expect(items.map(({ rule }) => rule)).toContain('event.paths-again');
  });
});
