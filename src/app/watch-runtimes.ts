import type { WithheldRuntime } from '../core/runtime-choice.ts';
import type { Runtime } from '../drivers/runtime/runtime.ts';
import type { Logger } from '../lib/logger.ts';
import type { Timers } from '../lib/timers.ts';
import type { ExaminedRuntime } from './runtime.ts';

/** How often container engines are looked at: one that is started is offered before anybody has typed the next command. */
const lookEveryMs = 5_000;
/** An engine that is only being restarted is not taken away from those who wait for it. */
const looksBeforeWithdrawal = 2;

interface Watched {
  readonly examined: ExaminedRuntime;
  runtime: Runtime | undefined;
  isOffered: boolean;
  /** What it said last when it was not usable. */
  why: string;
  misses: number;
}

/**
 * Looks at the container engines of a runner while it works: one that appears is offered, one that is away is withdrawn
 * with the reason. A runner that has one runtime only offers that whatever it says. Answers what stops it.
 */
export function watchRuntimes({
  examined,
  offer,
  timers,
  logger,
}: {
  readonly examined: readonly ExaminedRuntime[];
  readonly offer: (runtimes: readonly [Runtime, ...Runtime[]], withheld: readonly WithheldRuntime[]) => void;
  readonly timers: Timers;
  readonly logger: Logger;
}): () => void {
  const all = examined.map(
    (each): Watched => ({
      examined: each,
      runtime: each.runtime,
      isOffered: each.isOffered,
      why: whyOf(each.probe.findings),
      misses: 0,
    }),
  );
  let isStopped = false;
  let takeBack = (): void => {};

  async function look(): Promise<void> {
    const changed: Watched[] = [];
    for (const each of all) {
      if (each.examined.name !== 'docker') continue;
      try {
        if (await hasChanged(each)) changed.push(each);
      } catch (error) {
        logger.warn('A runtime could not be looked at', { runtime: each.examined.name, error });
      }
    }
    if (isStopped) return;
    const [first, ...further] = all.flatMap(({ isOffered, runtime }) => (isOffered && runtime ? [runtime] : []));
    if (changed.length > 0 && first) {
      for (const {
        examined: { name: runtime },
        isOffered,
        why,
      } of changed)
        logger.info(isOffered ? 'A runtime is offered from now on' : 'A runtime is not offered any more', {
          runtime,
          ...(isOffered ? {} : { why }),
        });
      const withheld = all.filter((each) => !each.isOffered);
      offer(
        [first, ...further],
        withheld.map((each) => ({ name: each.examined.name, why: each.why })),
      );
    }
    again();
  }

  function again(): void {
    if (!isStopped) takeBack = timers.after(lookEveryMs, () => void look());
  }

  if (all.length > 1 && all.some((each) => each.examined.name === 'docker')) again();
  return () => {
    isStopped = true;
    takeBack();
  };
}

/** What a runner was asked for and does not offer, with the reason. */
export function withheldOf(examined: readonly ExaminedRuntime[]): readonly WithheldRuntime[] {
  return examined.flatMap(({ isOffered, name, probe }) => (isOffered ? [] : [{ name, why: whyOf(probe.findings) }]));
}

async function hasChanged(each: Watched): Promise<boolean> {
  const { probe, runtime } = each.runtime
    ? { probe: await each.runtime.probe(), runtime: each.runtime }
    : await each.examined.lookAgain();
  each.runtime = runtime;
  if (probe.isUsable) {
    each.misses = 0;
    const isNew = !each.isOffered;
    each.isOffered = true;
    return isNew;
  }
  each.why = whyOf(probe.findings);
  each.misses += 1;
  if (!each.isOffered || each.misses < looksBeforeWithdrawal) return false;
  each.isOffered = false;
  return true;
}

function whyOf(findings: readonly string[]): string {
  return (findings[0] ?? 'It cannot be used').replace(/\.$/, '');
}
