import { Worker } from 'node:worker_threads';

export interface HeartbeatFrom {
  readonly socketPath: string;
  readonly runnerId: string;
  readonly generation: string;
}

export interface Heartbeat {
  /** Beats three times in a lease from now on. */
  useLease(leaseMs: number): void;
  stop(): Promise<void>;
}

/** Starts the thread that tells the server we live. It is silent until it knows the lease. */
export function startHeartbeat(from: HeartbeatFrom): Heartbeat {
  const extension = import.meta.filename.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./heartbeat-worker.${extension}`, import.meta.url), {
    workerData: from,
    // It opens a socket and nothing else: flags of the runner are none of its business.
    execArgv: [],
    // It holds a socket and a timer: the default would let it take as much memory as the runner.
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
  });
  worker.unref();
  return {
    useLease: (leaseMs) => worker.postMessage(Math.max(100, Math.floor(leaseMs / 3))),
    stop: async () => {
      await worker.terminate();
    },
  };
}
