import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** One measured comparison: our way and the peer's, in pairs, in the same run. */
export interface Comparison {
  /** What distinguishes it within the benchmark: `bubblewrap`, `first visit`. */
  readonly variant: string;
  /** Who stands beside it; a re-enactment of a peer's way of working ends in `-shape`, a lower bound in `-floor`. */
  readonly peer: string;
  readonly unit: 'ms' | 'perSecond' | 'MB' | 'count';
  /** One run of ours, in the unit. */
  readonly gantry: () => Promise<number>;
  /** One run of the peer's; absent where there is none, and then no ratio. */
  readonly peerRun?: () => Promise<number>;
  /** In words, as the table of goals has it. */
  readonly goal: string;
  /** Absent for a figure that is printed and has no goal. */
  readonly isMet?: (result: Result) => boolean;
  /** Default 10 pairs after 2 warm-ups. */
  readonly pairs?: number;
  readonly warmUps?: number;
}

export interface Benchmark {
  readonly id: string;
  readonly title: string;
  /** Sets up what the comparisons share; `cleanUp` always comes. */
  readonly prepare: () => Promise<{
    readonly comparisons: readonly Comparison[];
    readonly cleanUp: () => Promise<void>;
    /** Said in each line: what could not be had on this machine. */
    readonly notes?: readonly string[];
  }>;
}

export interface Result {
  readonly gantry: Summary;
  readonly peer: Summary | undefined;
  /** Peer ÷ ours for times and sizes, ours ÷ peer for rates: larger is better. */
  readonly ratio: Summary | undefined;
}

export interface Summary {
  readonly p10: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
}

/** Runs the pairs interleaved (A-B-A-B) and prints one JSON line. */
export async function runComparison(
  benchmark: Benchmark,
  comparison: Comparison,
  notes: readonly string[] = [],
): Promise<boolean | undefined> {
  const { pairs = 10, warmUps = 2, unit } = comparison;
  const gantry: number[] = [];
  const peer: number[] = [];
  for (let i = 0; i < warmUps; i += 1) {
    await comparison.gantry();
    await comparison.peerRun?.();
  }
  const load = await otherLoad();
  const cpuBefore = busySeconds();
  for (let i = 0; i < pairs; i += 1) {
    gantry.push(await comparison.gantry());
    if (comparison.peerRun) peer.push(await comparison.peerRun());
  }
  const ratios = peer.map((value, i) => (unit === 'perSecond' ? gantry[i]! / value : value / gantry[i]!));
  const result: Result = {
    gantry: summarise(gantry),
    peer: peer.length > 0 ? summarise(peer) : undefined,
    ratio: ratios.length > 0 ? summarise(ratios) : undefined,
  };
  const isMet = comparison.isMet?.(result);
  const suffix = unit === 'ms' ? 'Ms' : unit === 'perSecond' ? 'PerSecond' : unit === 'MB' ? 'Mb' : 'Count';
  const line = {
    id: benchmark.id,
    variant: comparison.variant,
    peer: comparison.peer,
    unit,
    [`gantry${suffix}`]: gantry.map(round),
    ...(peer.length > 0 ? { [`peer${suffix}`]: peer.map(round) } : {}),
    p50: round(result.gantry.p50),
    p95: round(result.gantry.p95),
    ...(result.peer ? { peer_p50: round(result.peer.p50) } : {}),
    ...(result.ratio
      ? {
          ratio_p50: round(result.ratio.p50),
          ratio_p95: round(result.ratio.p95),
          ratio_p10: round(result.ratio.p10),
          ratio_p90: round(result.ratio.p90),
        }
      : {}),
    goal: comparison.goal,
    ...(isMet === undefined ? {} : { met: isMet }),
    cpuSeconds: round(busySeconds() - cpuBefore),
    rssBytes: process.memoryUsage().rss,
    load: round(load),
    ...(notes.length > 0 ? { notes } : {}),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  return isMet;
}

export function summarise(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { p10: at(0.1), p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) };
}

/** How long one run takes, in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

/** Waits up to 30 s for the machine to be quiet; answers the share of one core that others used over the last 2 s. */
async function otherLoad(): Promise<number> {
  let load = 1;
  for (let i = 0; i < 15 && load > 0.05; i += 1) {
    const [before, own] = [busySeconds(), ownSeconds()];
    await sleep(2_000);
    load = Math.max(0, (busySeconds() - before - (ownSeconds() - own)) / 2);
  }
  return load;
}

/** CPU seconds of the whole machine that were not idle: every process counts, the client too. */
function busySeconds(): number {
  const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]!
    .split(/\s+/)
    .map(Number);
  return (user! + nice! + system! + irq! + softirq!) / 100;
}

function ownSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
