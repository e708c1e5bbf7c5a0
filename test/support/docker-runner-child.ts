import { openDockerWorld } from './docker-world.ts';

/**
 * A runner that is to be killed: one job with a step that runs, one that waits behind its gate, and what is kept ready.
 * Arguments: address of the engine, instance. Says `ready` when all of it is there.
 */
const [address = '', instanceId = ''] = process.argv.slice(2);
const world = openDockerWorld(address, { instanceId });
const job = await world.runtime.prepare({ id: 'w1-a1-t1', workspace: '/drone/src' });
const stage = (id: string) =>
  job.stage({
    id,
    name: id,
    kind: 'commands',
    image: 'base/busybox',
    pull: 'default',
    limits: {},
    network: 'job',
  });
await stage('waiting');
const running = await stage('running');
running.release({
  script: 'echo begun; sleep 3600',
  environment: {},
  secrets: {},
  timeoutMs: 3_600_000,
  graceMs: 1_000,
  onOutput: () => void process.stdout.write('ready\n'),
});
