import type { Dialect } from '../core/plan.ts';
import type { EventFacts } from './compile-input.ts';

const drone1Markers = ['[ci skip]', '[skip ci]', '***no_ci***'] as const;

/**
 * The marker in a commit message or title that asks for no pipeline, whatever its case (pipelines.md 7): for every event
 * in Drone 0.8, for pushes and pull requests elsewhere. Nobody is kept from starting a pipeline by hand.
 */
export function findSkipMarker({ kind, message, pullRequest }: EventFacts, dialect: Dialect): string | undefined {
  if (kind === 'manual') return undefined;
  if (dialect !== 'drone08' && kind !== 'push' && kind !== 'pull_request') return undefined;
  if (dialect === 'drone08' || dialect === 'woodpecker')
    return /\[(ci *skip|skip *ci)\]/i.exec(message)?.[0].toLowerCase();
  const lower = `${message}\n${pullRequest?.title ?? ''}`.toLowerCase();
  return drone1Markers.find((marker) => lower.includes(marker));
}
