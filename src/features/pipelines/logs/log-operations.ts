import type { OperationHandlers } from '../../feature.ts';
import { type FindLogDeps, getLogState, getStep } from './find-log.ts';
import { findLineTimes } from './line-times.ts';
import { LogOutlines } from './log-outlines.ts';
import { countLines } from './read-lines.ts';

/** What the API says about a log; its bytes are a route of their own. */
export function logOperations(deps: FindLogDeps): OperationHandlers {
  const { logs } = deps;
  const outlines = new LogOutlines(logs);

  return {
    async getLogOutline({ params }) {
      const step = await getStep(deps, params);
      const state = await getLogState(deps, step);
      const [lines, { commands, hasMore }, last] = await Promise.all([
        countLines(logs, step.id, state),
        outlines.find(step.id, state),
        logs.chunks(step.id, { sequence: state.sequence }, 1),
      ]);
      return {
        lines,
        sizeBytes: state.sizeBytes,
        isEnded: state.isEnded,
        isCut: state.isCut,
        startedAt: step.startedAt?.toISOString() ?? null,
        lastAtMs: last?.[0]?.atMs ?? null,
        commands: [...commands],
        hasMoreCommands: hasMore,
      };
    },

    async listLogTimes({ params, query }) {
      const step = await getStep(deps, params);
      // Counted first: what comes meanwhile is told in addition, and nothing is promised that is not told.
      const lines = await countLines(logs, step.id, await getLogState(deps, step));
      const { items, next } = await findLineTimes(logs, step.id, query);
      return { startedAt: step.startedAt?.toISOString() ?? null, items: [...items], lines, nextLine: next ?? null };
    },
  };
}
