import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StepView } from '../../src/api/pipelines.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { processesWith } from '../support/host-traces.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'a step that means no good, in a whole Gantry,';
const logLimitBytes = 2 ** 20;
const mark = String(randomInt(30_000_000, 39_999_999));
const graceMs = 10_000;

/** A workflow of one step. */
const workflow = (name: string, ...commands: string[]): string =>
  `---\nkind: pipeline\nname: ${name}\nclone: {disable: true}\nsteps:\n  - name: ${name}\n    image: base/busybox\n    commands: ${JSON.stringify(commands)}\n`;

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  const params = (project: string, number: number) => ({ owner: 'admin', project, number });

  beforeAll(async () => {
    gantry = await GantryProcess.start({
      runtime: 'sandbox',
      settings: {
        GANTRY_SLOTS: '4',
        GANTRY_STEP_MEMORY: '96MiB',
        GANTRY_STEP_PIDS: '64',
        GANTRY_STEP_DISK: '64MiB',
        GANTRY_LOG_LIMIT: String(logLimitBytes),
      },
    });
    for (const project of ['bad', 'good']) await gantry.createProject(project);
    await gantry.push('good', { '.gantry.yml': workflow('fine', 'echo fine') });
    expect((await gantry.finished('good', 1)).status).toBe('passed');
  });
  afterAll(() => gantry?.dispose());

  it('harms itself alone, and its page says how it ended', async () => {
    await gantry.push('bad', {
      '.gantry.yml': [
        workflow('daemon', `(setsid sh -c 'setsid sleep ${mark} &' &)`, 'sleep 0.2', 'echo gone'),
        workflow('holder', `sleep ${mark} &`, 'echo left it open'),
        workflow('forks', 'f() { f | f & f; }', 'f'),
        workflow('memory', 'x=xxxxxxxx; while true; do x=$x$x; done'),
        workflow('disk', 'i=0; while true; do head -c 8000000 /dev/zero > fill$i; i=$((i+1)); sleep 0.05; done'),
        workflow('flood', "head -c 1073741824 /dev/zero | tr '\\\\0' x", 'echo reached'),
        workflow('mute', 'exec >&- 2>&-; sleep 0.3; exit 3'),
        workflow('bytes', "printf 'a\\\\0b\\\\377c\\\\033[31md\\\\n'"),
      ].join(''),
    });
    // Others go on meanwhile.
    for (let count = 2; count <= 4; count += 1) {
      await gantry.push('good', { '.gantry.yml': workflow('fine', 'echo fine'), count: String(count) });
      expect((await gantry.finished('good', count)).status).toBe('passed');
    }
    const pipeline = await gantry.finished('bad', 1, 150_000);
    expect(pipeline.status).toBe('failed');
    const step = (name: string): StepView => pipeline.steps.find((each) => each.name === name)!;
    const text = (name: string): Promise<string> => gantry.log('bad', 1, step(name).id);

    expect(step('daemon')).toMatchObject({ status: 'passed', exitCode: 0 });
    expect(step('holder')).toMatchObject({ status: 'passed', exitCode: 0 });
    expect(step('forks').status).toBe('failed');
    expect(await text('forks')).toMatch(/can't fork/);
    expect(step('memory').status).toBe('failed');
    expect(step('memory').reason).toMatch(/memory/i);
    expect(step('disk').status).toBe('failed');
    expect(step('disk').reason).toMatch(/disk|MiB/i);
    expect(step('flood')).toMatchObject({ status: 'passed', exitCode: 0 });
    const flood = await text('flood');
    expect(flood.length).toBeGreaterThan(logLimitBytes / 2);
    expect(flood.length).toBeLessThan(logLimitBytes + 4_096);
    expect(flood.slice(-500)).toMatch(/… log cut at 1.0 MiB\n$/);
    expect(step('mute')).toMatchObject({ status: 'failed', exitCode: 3 });
    expect(step('bytes')).toMatchObject({ status: 'passed', exitCode: 0 });
    for (const { name, exitCode, reason } of pipeline.steps) expect(reason ?? exitCode, name).not.toBeNull();
    expect(processesWith(mark)).toEqual([]);
  });

  it('ends after its grace when it does not heed a cancel', async () => {
    await gantry.push('bad', {
      '.gantry.yml': workflow(
        'deaf',
        "trap '' TERM INT HUP",
        'echo deaf',
        `while true; do sleep 0.1 ${mark} || sleep 0.1; done`,
      ),
    });
    const running = await gantry.until('bad', 2, ({ steps }) => steps[0]?.status === 'running');
    const { id } = running.steps[0]!;
    for (let i = 0; i < 200 && !(await gantry.log('bad', 2, id)).includes('\ndeaf'); i += 1) await gantry.pause();
    const askedMs = performance.now();
    await gantry.client('cancelPipeline', { params: params('bad', 2) });
    const ended = await gantry.finished('bad', 2, graceMs + 20_000);
    expect(performance.now() - askedMs).toBeGreaterThan(graceMs - 1_000);
    expect(ended.steps[0]).toMatchObject({ status: 'cancelled' });
    expect(ended.steps[0]!.reason).toMatch(/admin/);
    expect(processesWith(mark)).toEqual([]);
  });
});
