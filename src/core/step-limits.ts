/** What a file lets a step take at most; absent = what its runner lets every step take. */
export interface StepLimitsPlan {
  readonly memoryBytes?: number;
  /** 1000 = one core. */
  readonly cpuMillis?: number;
  /** Size of `/dev/shm`, which may be more than the usual too: what lies there counts as memory of the step. */
  readonly shmBytes?: number;
}

/** The tighter of two limits, where either says something. */
export function tighter(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}
