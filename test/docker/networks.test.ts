import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningStep, RuntimeJob } from '../../src/drivers/runtime/runtime.ts';
import { ContainerEngine, findEngineHindrance } from '../support/container-engine.ts';
import { type DockerWorld, openDockerWorld } from '../support/docker-world.ts';

const hindrance = findEngineHindrance('docker');
/** `MANY_NETWORKS=1`: as many as an engine of a company sees (executors 2.7); some minutes on two cores. */
const isMany = process.env['MANY_NETWORKS'] === '1';
const atOnce = isMany ? 60 : 6;
const inSequence = isMany ? 300 : 8;

describe.skipIf(hindrance !== undefined)('networks of jobs in Docker', () => {
  let engine: ContainerEngine;
  let world: DockerWorld;
  let ids = 0;

  beforeAll(async () => {
    engine = await ContainerEngine.start('docker');
    world = openDockerWorld(engine.address);
  });
  afterAll(async () => {
    await world?.close();
    await engine?.dispose();
  });

  const prepare = (): Promise<RuntimeJob> =>
    world.runtime.prepare({ id: `w${(ids += 1)}-a1-t1`, workspace: '/drone/src', hostNames: ['web'] });

  async function begin(
    job: RuntimeJob,
    script: string,
    hostName?: string,
  ): Promise<{ readonly running: RunningStep; readonly text: () => string }> {
    let text = '';
    const staged = await job.stage({
      id: `s${(ids += 1)}`,
      name: 'step',
      kind: 'commands',
      image: 'base/busybox',
      pull: 'default',
      hostName,
      limits: {},
      network: 'job',
    });
    const running = staged.release({
      script,
      environment: {},
      secrets: {},
      timeoutMs: 120_000,
      graceMs: 100,
      onOutput: (_, bytes) => {
        text += bytes.toString();
      },
    });
    return { running, text: () => text };
  }

  async function run(job: RuntimeJob, script: string): Promise<readonly [exitCode: number | string, text: string]> {
    const { running, text } = await begin(job, script);
    const outcome = await running.outcome;
    return [outcome.kind === 'exited' ? outcome.exitCode : JSON.stringify(outcome), text()];
  }

  it('keep the service of a job from every other job, by name and by address', async () => {
    const [one, other] = await Promise.all([prepare(), prepare()]);
    const { running } = await begin(one, 'mkdir /www; echo mine > /www/page; exec httpd -f -p 8080 -h /www', 'web');
    const address = "$(ip -4 -o addr show eth0 | sed 's/.*inet \\([0-9.]*\\).*/\\1/')";
    const [found, own] = await run(
      one,
      `until wget -qO- http://web:8080/page; do sleep 0.1; done; wget -qO- "http://${address}:8080/page"; echo "at ${address}"`,
    );
    expect([found, own.match(/mine/g)?.length]).toEqual([0, 2]);
    const ip = /at ([0-9.]+)/.exec(own)![1]!;
    const [code, text] = await run(
      other,
      `wget -T 3 -qO- http://${ip}:8080/page && exit 3; wget -T 3 -qO- http://web:8080/page && exit 4; echo unreachable`,
    );
    expect([code, text]).toEqual([0, expect.stringContaining('unreachable') as string]);
    running.cancel('the test has ended');
    await Promise.all([one.destroy(), other.destroy()]);
  });

  it(`are had ${atOnce} at once`, { timeout: isMany ? 900_000 : 120_000 }, async () => {
    const jobs = await Promise.all(Array.from({ length: atOnce }, prepare));
    const results = await Promise.all(jobs.map((job) => run(job, 'ip -4 -o addr show eth0')));
    expect(results.map(([code]) => code)).toEqual(jobs.map(() => 0));
    const subnets = results.map(([, text]) => /inet ([0-9.]+\/28)/.exec(text)?.[1]);
    expect(new Set(subnets).size).toBe(atOnce);
    await Promise.all(jobs.map((job) => job.destroy()));
    await expect.poll(() => world.leftovers(), { timeout: 180_000 }).toEqual([]);
  });

  it(`are had ${inSequence} one after the other, and nothing is left of them`, {
    timeout: isMany ? 900_000 : 120_000,
  }, async () => {
    for (let count = 0; count < inSequence; count += 1) await (await prepare()).destroy();
    await expect.poll(() => world.leftovers(), { timeout: 180_000 }).toEqual([]);
  });
});
