import type { PortPlan } from '../../core/plan.ts';
import type { PortAnswers, PortWait } from './runtime.ts';

/** How often is looked, growing from the first to the last. */
const [firstPauseMs, lastPauseMs] = [20, 250];

/** What it takes to look again and again. */
export interface PortLook {
  /** Which of these ports answer at this moment. */
  readonly answering: (ports: readonly PortPlan[]) => Promise<readonly PortPlan[]>;
  readonly nowMs: () => number;
  /** Resolves after so long, or at once when the signal aborts. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Looks until all ports answer; `timeoutMs` long while none does, and `settleMs` longer once one has: an image names
 * more ports than it listens on. Rejects with the signal's reason when that aborts.
 */
export async function awaitPorts(
  wait: Pick<PortWait, 'ports' | 'timeoutMs' | 'settleMs' | 'signal'>,
  look: PortLook,
): Promise<PortAnswers> {
  const beganMs = look.nowMs();
  let firstAnswerMs: number | undefined;
  let pauseMs = firstPauseMs;
  for (;;) {
    wait.signal.throwIfAborted();
    const answered = wait.ports.length === 0 ? [] : await look.answering(wait.ports);
    const silent = wait.ports.filter((port) => !answered.includes(port));
    if (silent.length === 0) return { answered, silent };
    const nowMs = look.nowMs();
    if (answered.length > 0) firstAnswerMs ??= nowMs;
    const endMs = firstAnswerMs === undefined ? beganMs + wait.timeoutMs : firstAnswerMs + wait.settleMs;
    if (nowMs >= endMs) {
      wait.signal.throwIfAborted();
      return { answered, silent };
    }
    await look.pause(Math.min(pauseMs, endMs - nowMs), wait.signal);
    pauseMs = Math.min(lastPauseMs, pauseMs * 1.5);
  }
}
