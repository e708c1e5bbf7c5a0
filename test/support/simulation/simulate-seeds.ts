import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** Nearly all that a simulation makes is thrown away at once: room for it saves most of the collecting. */
const youngGenerationMb = 64;

/** Simulates all seeds, on every core of this machine at once; answers how many steps were started. Throws as `simulate` does. */
export async function simulateSeeds(seeds: readonly number[]): Promise<number> {
  const threads = Math.min(availableParallelism(), seeds.length);
  const shares = Array.from({ length: threads }, (_, at) => seeds.filter((__, index) => index % threads === at));
  const workers: Worker[] = [];
  try {
    const started = await Promise.all(
      shares.map((share) => {
        const worker = new Worker(new URL('./simulation-thread.ts', import.meta.url), {
          workerData: share,
          resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
        });
        workers.push(worker);
        return resultOf(worker);
      }),
    );
    return started.reduce((sum, count) => sum + count, 0);
  } finally {
    // One that failed stops the others.
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function resultOf(worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) =>
      reject(new Error(`A thread of the simulation ended with code ${code} and no answer`)),
    );
  });
}
