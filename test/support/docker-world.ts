import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCacheHome } from '../../src/drivers/runtime/caches/cache-home.ts';
import { defaultCacheLimits } from '../../src/drivers/runtime/caches/cache-store.ts';
import { createDockerRuntime, type DockerRuntimeOptions } from '../../src/drivers/runtime/docker/docker-runtime.ts';
import type { Runtime } from '../../src/drivers/runtime/runtime.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { ownIdentity } from '../../src/lib/process-identity.ts';
import { systemTimers } from '../../src/lib/timers.ts';
import { callEngine, composedImages } from './container-engine.ts';

/** A runtime in a private engine. */
export interface DockerWorld {
  readonly runtime: Runtime;
  readonly options: DockerRuntimeOptions;
  /** What the runtime has in the engine for jobs: what is kept ready left out. */
  leftovers(): Promise<readonly string[]>;
  /** Everything of the instance in the engine. */
  objects(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export function openDockerWorld(
  address: string,
  {
    instanceId,
    keepsCaches = false,
    cacheFolder,
    ...change
  }: Partial<DockerRuntimeOptions> & {
    readonly instanceId?: string;
    /** In a folder of its own, unless `cacheFolder` names one. */
    readonly keepsCaches?: boolean;
    readonly cacheFolder?: string;
  } = {},
): DockerWorld {
  const agent = { instanceId: instanceId ?? `test-${randomBytes(4).toString('hex')}`, ...ownIdentity() };
  const ownFolder =
    keepsCaches && cacheFolder === undefined ? mkdtempSync(join(tmpdir(), 'gantry-engine-caches-')) : undefined;
  const folder = cacheFolder ?? ownFolder;
  const caches =
    folder === undefined
      ? undefined
      : openCacheHome({ folder, generation: agent, limits: defaultCacheLimits, logger: silentLogger });
  const options: DockerRuntimeOptions = {
    engine: address,
    agent,
    caches,
    composed: composedImages(),
    clock: systemClock,
    timers: systemTimers,
    logger: silentLogger,
    ...change,
  };
  const runtime = createDockerRuntime(options);
  const objects = (): Promise<readonly string[]> => listObjects(address, options.agent.instanceId);
  return {
    runtime,
    options,
    objects,
    async leftovers() {
      // What is being removed beside other work is no leftover for a while.
      const giveUpAt = performance.now() + 15_000;
      for (;;) {
        const left = beyondPool(await objects());
        if (left.length === 0 || performance.now() > giveUpAt) return left;
        await sleep(100);
      }
    },
    async close() {
      await runtime.close();
      if (ownFolder !== undefined) rmSync(ownFolder, { recursive: true, force: true });
    },
  };
}

function beyondPool(names: readonly string[]): readonly string[] {
  const surplus = (what: RegExp): readonly string[] => {
    const found = names.filter((name) => what.test(name));
    // Two are kept ready, and one may be on its way in or out.
    return found.length > 3 ? [`${found.length} of ${what.source}`] : [];
  };
  return [
    ...names.filter((name) => !/-(net|work|pause)-\d+$|-gate$|-gate-fill$/.test(name)),
    ...surplus(/-net-/),
    ...surplus(/-work-/),
    ...surplus(/-pause-/),
  ];
}

/** Names of all that an instance has in an engine. */
export async function listObjects(address: string, instanceId: string): Promise<readonly string[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`gantry.instance=${instanceId}`] }));
  const call = <Answer>(path: string): Promise<Answer> => callEngine<Answer>(address, 'GET', path);
  const containers = await call<{ Names: string[] }[]>(`/containers/json?all=1&filters=${filters}`);
  const volumes = await call<{ Volumes: { Name: string }[] | null }>(`/volumes?filters=${filters}`);
  const networks = await call<{ Name: string }[]>(`/networks?filters=${filters}`);
  return [
    ...containers.map(({ Names }) => Names[0] ?? ''),
    ...(volumes.Volumes ?? []).map(({ Name }) => Name),
    ...networks.map(({ Name }) => Name),
  ].sort();
}
