import { describe, expect, it } from 'vitest';
import type { ReleaseSpec, RunningStep, Runtime, RuntimeJob, StageSpec } from '../runtime.ts';
import { RuntimeWithSettings } from './runtime-with-settings.ts';

/** A runtime that runs nothing and remembers what it was asked for. */
function listeningRuntime() {
  const staged: StageSpec[] = [];
  const released: ReleaseSpec[] = [];
  const ended: RunningStep = {
    outcome: Promise.resolve({ kind: 'exited', exitCode: 0 }),
    cancel: () => undefined,
  };
  const job: RuntimeJob = {
    spec: { id: 'w1-a1-t1', workspace: '/work' },
    async stage(step) {
      staged.push(step);
      return {
        release(release) {
          released.push(release);
          return ended;
        },
        discard: async () => undefined,
      };
    },
    waitForPorts: () => Promise.reject(new Error('nobody listens')),
    destroy: async () => undefined,
  };
  const runtime: Runtime = {
    name: 'listening',
    probe: () => Promise.reject(new Error('nobody asks')),
    prepare: async (spec) => ({ ...job, spec }),
    reap: async () => [],
    close: async () => undefined,
  };
  return { runtime, staged, released };
}

const step: StageSpec = {
  id: 's1',
  name: 'build',
  kind: 'commands',
  image: 'golang:1.22',
  pull: 'default',
  limits: {},
  network: 'job',
};
const release: ReleaseSpec = {
  environment: {},
  secrets: {},
  timeoutMs: 1,
  graceMs: 1,
  onOutput: () => undefined,
};

describe('RuntimeWithSettings', () => {
  const robot = { registry: 'registry.example', username: 'robot', password: 'hunter42' };

  async function run(change: { readonly step?: Partial<StageSpec>; readonly release?: Partial<ReleaseSpec> } = {}) {
    const { runtime, staged, released } = listeningRuntime();
    const settled = new RuntimeWithSettings(runtime, {
      environment: { https_proxy: 'http://robot:hunter42@proxy.example', GOPROXY: 'https://mirror.example', CI: 'x' },
      secrets: ['hunter42'],
      images: [{ from: 'golang:*', to: 'registry.example/hub/golang' }],
      registries: [robot],
    });
    const lines: string[] = [];
    const job = await settled.prepare({ id: 'w1-a1-t1', workspace: '/work' });
    const made = await job.stage({ ...step, progress: (line) => lines.push(line), ...change.step });
    made.release({ ...release, ...change.release });
    return { staged: staged[0]!, released: released[0]!, lines };
  }

  it('has an image pulled as its rule says, with the credentials of the settings, and tells so in the log', async () => {
    const own = { registry: 'registry.example/hub', username: 'mei', password: 'own-word' };
    const { lines, staged } = await run({ step: { credentials: [own] } });
    expect(staged.image).toBe('registry.example/hub/golang:1.22');
    expect(staged.credentials).toEqual([own, robot]);
    expect(lines).toEqual(['image golang:1.22 → registry.example/hub/golang:1.22 (rule 1)']);
  });

  it('shows its credentials to no registry that a file names itself', async () => {
    const { lines, staged } = await run({ step: { image: 'registry.example/other/app:1' } });
    expect(staged.image).toBe('registry.example/other/app:1');
    expect(staged.credentials).toBeUndefined();
    expect(lines).toEqual([]);
  });

  it('gives its variables to the step, those with credentials as secrets', async () => {
    const { released } = await run();
    expect(released.environment).toEqual({ GOPROXY: 'https://mirror.example', CI: 'x' });
    expect(released.secrets).toEqual({ https_proxy: 'http://robot:hunter42@proxy.example' });
  });

  it('leads no step to its own services through the proxy', async () => {
    const { runtime, released } = listeningRuntime();
    const settings = {
      environment: { no_proxy: 'localhost', NO_PROXY: 'localhost' },
      secrets: [],
      images: [],
      registries: [],
    };
    const spec = { id: 'w1-a1-t1', workspace: '/work', hostNames: ['db', 'cache'] };
    const job = await new RuntimeWithSettings(runtime, settings).prepare(spec);
    (await job.stage(step)).release(release);
    expect(released[0]?.environment).toEqual({ no_proxy: 'localhost,db,cache', NO_PROXY: 'localhost,db,cache' });
  });

  it('gives way to what the pipeline file sets, however it writes the name', async () => {
    const { released } = await run({
      release: { environment: { HTTPS_PROXY: 'http://own.example', CI: 'drone' }, secrets: { GOPROXY: 'off' } },
    });
    expect(released.environment).toEqual({ HTTPS_PROXY: 'http://own.example', CI: 'drone' });
    expect(released.secrets).toEqual({ GOPROXY: 'off' });
  });
});
