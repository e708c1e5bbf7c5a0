import type { StageSpec } from '../../src/drivers/runtime/runtime.ts';
import { openDockerWorld } from './docker-world.ts';

/**
 * A runner that is to be killed: one job with a step that runs, one that waits behind its gate, and what is kept ready.
 * Arguments: address of the engine, instance, and where caches lie: then the running step has one, and has changed it.
 * Says `ready` when all of it is there.
 */
const [address = '', instanceId = '', cacheFolder] = process.argv.slice(2);
const world = openDockerWorld(address, { instanceId, ...(cacheFolder === undefined ? {} : { cacheFolder }) });
const workspace = '/drone/src';
const caches = { projectId: 1, scope: 'protected', pipeline: 8 };
const job = await world.runtime.prepare({
  id: 'w1-a1-t1',
  workspace,
  ...(cacheFolder === undefined ? {} : { caches }),
});
const cache = { key: 'k2', restore: ['k'], paths: [`${workspace}/modules`, '/root/.store'] };
const change = 'cat modules/a /root/.store/a && echo new > modules/a && echo new > modules/b && rm /root/.store/a';
const stage = (id: string, more: Partial<StageSpec> = {}) =>
  job.stage({
    id,
    name: id,
    kind: 'commands',
    image: 'base/busybox',
    pull: 'default',
    limits: {},
    network: 'job',
    ...more,
  });
await stage('waiting');
const running = await stage('running', cacheFolder === undefined ? {} : { cache });
running.release({
  script: `${cacheFolder === undefined ? '' : `${change} || exit 1\n`}echo begun; sleep 3600`,
  environment: {},
  secrets: {},
  timeoutMs: 3_600_000,
  graceMs: 1_000,
  onOutput: (_stream, bytes) => {
    if (bytes.includes('begun')) process.stdout.write('ready\n');
  },
});
