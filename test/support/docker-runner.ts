import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** A runner of its own process in an engine; one of its steps runs, `docker-runner-child.ts` says what else. */
export interface KillableDockerRunner {
  /** Resolves when the process is gone. */
  kill(): Promise<void>;
}

/** @param cacheFolder - Where caches lie; absent = there are none. */
export async function startDockerRunner(
  address: string,
  instanceId: string,
  cacheFolder?: string,
): Promise<KillableDockerRunner> {
  const program = join(import.meta.dirname, 'docker-runner-child.ts');
  const parameters = [address, instanceId, ...(cacheFolder === undefined ? [] : [cacheFolder])];
  const child = spawn(process.execPath, [program, ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return {
    async kill() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}
