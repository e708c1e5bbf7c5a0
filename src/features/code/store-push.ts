import type { Stores } from '../../core/unit-of-work.ts';
import type { PushCommand } from './push-commands.ts';
import { eventKindOf } from './ref-name.ts';

/**
 * Records references that have moved: one event for each branch or tag, what was seen last, and the news. Within the
 * transaction of `stores`; the same push again changes nothing. Answers how many events are new.
 */
export async function storePush(
  stores: Stores,
  projectId: number,
  moved: readonly PushCommand[],
  by: {
    readonly pushId: string;
    readonly personName: string;
    readonly personId: number | undefined;
    readonly tokenProjectIds?: readonly number[] | undefined;
    readonly pushOptions?: readonly string[] | undefined;
  },
  at: Date,
): Promise<number> {
  let made = 0;
  for (const { ref, before, after } of moved) {
    const kind = eventKindOf(ref);
    // A reference that stays where it is has not been pushed.
    if (!kind || before === after) continue;
    const { event, isNew } = await stores.events.create({
      projectId,
      kind,
      key: `push:${projectId}:${ref}:${before}:${after}:${by.pushId}`,
      ref,
      before,
      after,
      personName: by.personName,
      personId: by.personId,
      tokenProjectIds: by.tokenProjectIds,
      parameters: {},
      pushOptions: by.pushOptions,
      createdAt: at,
    });
    await stores.events.setLastSeenRef(projectId, ref, after);
    if (!isNew) continue;
    made += 1;
    await stores.happenings.append([{ type: 'push-received', projectId, eventId: event.id, ref, after }], at);
  }
  return made;
}
