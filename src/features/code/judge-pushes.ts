import type { Event, PushIntent } from '../../core/event.ts';
import { zeroObject } from './push-commands.ts';

/**
 * Of the intents of one project, those whose reference got where they wanted it, in the order in which it went
 * (engine.md 8). `current` is what each reference reads now, `lastSeen` what it read when the last event was stored.
 *
 * An intent is reached when the reference reads its `after`, or when another reached intent, or an event stored since,
 * went on from there. Two intents of the same step are one step; a step that has its event already needs no other.
 */
export function reachedIntents(
  intents: readonly PushIntent[],
  current: ReadonlyMap<string, string>,
  lastSeen: ReadonlyMap<string, string>,
  events: readonly Event[],
): readonly PushIntent[] {
  const reached: PushIntent[] = [];
  for (const [ref, open] of Map.groupBy(intents, (intent) => intent.ref)) {
    const now = current.get(ref) ?? zeroObject;
    const seen = lastSeen.get(ref) ?? zeroObject;
    const later = events.filter((event) => event.ref === ref && event.before !== event.after);
    const steps = new Map<string, PushIntent>();
    for (const intent of open) {
      const step = `${intent.before} ${intent.after}`;
      const hasEvent = later.some(
        (event) =>
          event.before === intent.before && event.after === intent.after && event.createdAt >= intent.createdAt,
      );
      if (intent.before !== intent.after && !hasEvent && !steps.has(step)) steps.set(step, intent);
    }

    // Backwards from where the reference is: each step that leads to a place where it was known to be.
    const chain: PushIntent[] = [];
    const places = new Set<string>(now === seen ? [] : [now]);
    for (const event of later) {
      const isSince = open.some((intent) => event.createdAt >= intent.createdAt);
      if (isSince) places.add(event.before);
    }
    for (const place of places)
      for (const [step, intent] of steps) {
        if (intent.after !== place) continue;
        steps.delete(step);
        chain.unshift(intent);
        // Where the last event left it, the story before is told.
        if (intent.before !== seen) places.add(intent.before);
      }
    reached.push(...chain);
  }
  return reached;
}
