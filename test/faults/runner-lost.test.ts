import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { GantryProcess } from '../support/gantry-process.ts';
import { processesWith, tracesOf } from '../support/host-traces.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const quick = `kind: pipeline
name: default
steps:
  - {name: quick, image: base/busybox, commands: [echo quick]}
`;

const hindrance = findSandboxHindrance('bubblewrap');
describe.skipIf(hindrance)(
  hindrance ? `a runner with sandboxes (not here: ${hindrance})` : 'a runner with sandboxes',
  () => {
    let gantry: GantryProcess;
    afterEach(() => gantry?.dispose());

    /** A pipeline whose step sleeps under a name of its own, in a child as well, once it runs. */
    async function asleep(
      otherSteps: readonly string[] = [],
    ): Promise<{ readonly mark: string; readonly pid: number }> {
      gantry = await GantryProcess.start({ runtime: 'sandbox' });
      await gantry.createProject('shop');
      const mark = String(randomInt(30_000_000, 39_999_999));
      await gantry.push('shop', {
        '.gantry.yml': `kind: pipeline
name: default
steps:
  - {name: long, image: base/busybox, commands: ['(setsid sleep ${mark} &)', sleep ${mark}]}
${otherSteps.map((step) => `  - ${step}\n`).join('')}  - {name: after, image: base/busybox, commands: [echo after], depends_on: [long]}
`,
      });
      await gantry.until('shop', 1, ({ steps }) =>
        steps.some(({ name, status }) => name === 'long' && status === 'running'),
      );
      await eventually(() => expect(processesWith(`sleep ${mark}`).length).toBeGreaterThanOrEqual(2));
      return { mark, pid: (await gantry.runnerPids())[0]! };
    }

    it('that is killed takes its steps along, is missed within seconds, and is cleaned up after', async () => {
      const { mark, pid } = await asleep();
      expect(tracesOf(gantry, pid).length).toBeGreaterThan(0);
      const killedMs = performance.now();
      process.kill(pid, 'SIGKILL');
      const lost = await gantry.finished('shop', 1, 30_000);
      expect(performance.now() - killedMs).toBeLessThan(30_000);
      expect(lost.status).toBe('infrastructure');
      expect(lost.steps.map(({ name, status }) => `${name} ${status}`)).toEqual([
        'clone passed',
        'long infrastructure',
        'after skipped',
      ]);
      expect(lost.steps[1]!.reason).toMatch(/runner/i);
      await eventually(() => expect(processesWith(mark)).toEqual([]));

      await gantry.push('shop', { '.gantry.yml': quick });
      expect((await gantry.finished('shop', 2)).status).toBe('passed');
      expect(await gantry.runnerPids()).not.toContain(pid);
      await eventually(() => expect(tracesOf(gantry, pid)).toEqual([]));
    });

    it('that is killed while no server is there is missed when the next one starts', async () => {
      const { mark, pid } = await asleep();
      await gantry.signalServer('SIGKILL');
      process.kill(pid, 'SIGKILL');
      await eventually(() => expect(processesWith(mark)).toEqual([]));
      await gantry.startServer();
      expect((await gantry.finished('shop', 1, 30_000)).status).toBe('infrastructure');
      await gantry.push('shop', { '.gantry.yml': quick });
      expect((await gantry.finished('shop', 2)).status).toBe('passed');
      await eventually(() => expect(tracesOf(gantry, pid)).toEqual([]));
    });

    it('that sleeps beyond its lease reports in vain, ends the step it still has, and works again', async () => {
      // One step that ends while nobody can tell of it, and one that goes on.
      const { mark, pid } = await asleep([
        '{name: brief, image: base/busybox, commands: [sleep 20], depends_on: [clone]}',
      ]);
      await gantry.until('shop', 1, ({ steps }) => steps.find(({ name }) => name === 'brief')?.status === 'running');
      process.kill(pid, 'SIGSTOP');
      const lost = await gantry.finished('shop', 1, 90_000);
      expect(lost.status).toBe('infrastructure');
      // The step itself sleeps on: nobody who could end it is awake.
      expect(processesWith(`sleep ${mark}`).length).toBeGreaterThanOrEqual(2);
      process.kill(pid, 'SIGCONT');
      await eventually(() => expect(processesWith(mark)).toEqual([]));
      await gantry.push('shop', { '.gantry.yml': quick });
      expect((await gantry.finished('shop', 2)).status).toBe('passed');
      expect(
        (await gantry.finished('shop', 1)).steps.map(({ name, status, attempt }) => `${name} ${status} ${attempt}`),
      ).toEqual(['clone passed 1', 'long infrastructure 1', 'brief infrastructure 1', 'after skipped 1']);
      expect(await gantry.runnerPids()).toEqual([pid]);
    });

    it('goes on while servers come and go; the log has no gap and nothing twice', async () => {
      gantry = await GantryProcess.start({ runtime: 'sandbox' });
      await gantry.createProject('shop');
      const count = 60;
      await gantry.push('shop', {
        '.gantry.yml': `kind: pipeline
name: default
steps:
  - name: count
    image: base/busybox
    commands:
      - 'echo begun >> ran; for i in $(seq ${count}); do echo "line $i"; sleep 0.1; done; cat ran'
  - {name: after, image: base/busybox, commands: [cat ran]}
`,
      });
      await gantry.until('shop', 1, ({ steps }) =>
        steps.some(({ name, status }) => name === 'count' && status === 'running'),
      );
      const pids = await gantry.runnerPids();
      for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
        await sleep(400);
        await gantry.signalServer(signal);
        await sleep(300);
        await gantry.startServer();
      }
      const pipeline = await gantry.finished('shop', 1);
      expect(pipeline.status).toBe('passed');
      expect(await gantry.runnerPids()).toEqual(pids);
      const [, counted, after] = pipeline.steps;
      const lines = (await gantry.log('shop', 1, counted!.id)).trimEnd().split('\n');
      expect(lines.slice(1)).toEqual([...Array.from({ length: count }, (_, i) => `line ${i + 1}`), 'begun']);
      expect(await gantry.log('shop', 1, after!.id)).toBe('+ cat ran\nbegun\n');
    });
  },
);

async function eventually(assert: () => void, withinMs = 20_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      assert();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(50);
    }
  }
}
