import type { Selectable } from 'kysely';
import type { Event, EventKind, EventStore, NewEvent, NewPushIntent, PushIntent } from '../core/event.ts';
import type { PullRequestFacts } from '../core/pull-request.ts';
import type { TraceEntry } from '../core/trace.ts';
import type { Connection } from './connection.ts';
import { fromJson, toDate, toJson } from './json-column.ts';
import { prepare } from './prepare.ts';
import type { Tables } from './tables.ts';

const noObject = /^0+$/;

/** Events, the intents of pushes, and the last seen values of references in the database. */
export function createEventStore(connection: Connection): EventStore {
  const { db } = connection;
  const columns = [
    'id',
    'project_id',
    'kind',
    'key',
    'ref',
    'before',
    'after',
    'person_name',
    'person_id',
    'token_project_ids',
    'parameters',
    'target',
    'parent_number',
    'cron',
    'webhook',
    'push_options',
    'ignores_caches',
    'ignores_reuse',
    'pull_request',
    'trust',
    'created_at',
    'planned_at',
    'pipeline_id',
  ] as const;
  const byId = prepare<{ id: number }>()(connection, (_, value) =>
    db.selectFrom('event').select(columns).where('id', '=', value.id),
  );
  const byKey = prepare<{ key: string }>()(connection, (_, value) =>
    db.selectFrom('event').select(columns).where('key', '=', value.key),
  );
  const insert = prepare<{
    projectId: number;
    kind: string;
    key: string;
    ref: string;
    before: string;
    after: string;
    personName: string;
    personId: number | undefined;
    tokenProjectIds: string | null;
    parameters: string;
    target: string | undefined;
    parentNumber: number | undefined;
    cron: string | undefined;
    webhook: string | undefined;
    pushOptions: string | null;
    ignoresCaches: number | null;
    ignoresReuse: number | null;
    pullRequestJson: string | null;
    trust: string | undefined;
    createdAt: Date;
  }>()(connection, (_, value) =>
    db
      .insertInto('event')
      .values({
        project_id: value.projectId,
        kind: value.kind,
        key: value.key,
        ref: value.ref,
        before: value.before,
        after: value.after,
        person_name: value.personName,
        person_id: value.personId,
        token_project_ids: value.tokenProjectIds,
        parameters: value.parameters,
        target: value.target,
        parent_number: value.parentNumber,
        cron: value.cron,
        webhook: value.webhook,
        push_options: value.pushOptions,
        ignores_caches: value.ignoresCaches,
        ignores_reuse: value.ignoresReuse,
        pull_request: value.pullRequestJson,
        trust: value.trust,
        created_at: value.createdAt,
      })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .returning(columns),
  );
  const unplanned = prepare<{ limit: number }>()(connection, (_, value) =>
    db.selectFrom('event').select(columns).where('planned_at', 'is', null).orderBy('id').limit(value.limit),
  );
  const planned = prepare<{ id: number; plannedAt: Date; pipelineId: number | undefined; trace: string }>()(
    connection,
    (_, value) =>
      db
        .updateTable('event')
        .set({ planned_at: value.plannedAt, pipeline_id: value.pipelineId, trace: value.trace })
        .where('id', '=', value.id),
  );
  const insertIntent = prepare<{
    pushId: string;
    projectId: number;
    ref: string;
    before: string;
    after: string;
    personName: string;
    personId: number | undefined;
    tokenProjectIds: string | null;
    pushOptions: string | null;
    createdAt: Date;
  }>()(connection, (_, value) =>
    db
      .insertInto('push_intent')
      .values({
        push_id: value.pushId,
        project_id: value.projectId,
        ref: value.ref,
        before: value.before,
        after: value.after,
        person_name: value.personName,
        person_id: value.personId,
        token_project_ids: value.tokenProjectIds,
        push_options: value.pushOptions,
        created_at: value.createdAt,
      })
      .returningAll(),
  );

  return {
    async find(id) {
      return (await byId.run({ id })).map(toEvent)[0];
    },
    async findByKey(key) {
      return (await byKey.run({ key })).map(toEvent)[0];
    },
    async create(event: NewEvent) {
      const [inserted] = await insert.run({
        ...event,
        personId: event.personId,
        tokenProjectIds: toJson(event.tokenProjectIds),
        parameters: JSON.stringify(event.parameters),
        target: event.target,
        parentNumber: event.parentNumber,
        cron: event.cron,
        webhook: event.webhook,
        pushOptions: optionsText(event.pushOptions),
        ignoresCaches: event.ignoresCaches ? 1 : null,
        ignoresReuse: event.ignoresReuse ? 1 : null,
        pullRequestJson: toJson(event.pullRequest),
        trust: event.trust,
      });
      if (inserted) return { event: toEvent(inserted), isNew: true };
      const [known] = await byKey.run({ key: event.key });
      if (!known) throw new TypeError(`Cannot store the event "${event.key}": its key is neither free nor taken`);
      return { event: toEvent(known), isNew: false };
    },
    async listUnplanned(limit) {
      return (await unplanned.run({ limit })).map(toEvent);
    },
    async listByProject(projectId, limit) {
      const rows = await db
        .selectFrom('event')
        .select(columns)
        .where('project_id', '=', projectId)
        .orderBy('id', 'desc')
        .limit(limit)
        .execute();
      return rows.map(toEvent);
    },
    async markPlanned(id, plannedAt, pipelineId, trace) {
      await planned.run({ id, plannedAt, pipelineId, trace: JSON.stringify(trace) });
    },
    async trace(id) {
      const row = await db.selectFrom('event').select('trace').where('id', '=', id).executeTakeFirst();
      return fromJson<TraceEntry[]>(row?.trace ?? null) ?? [];
    },

    async createIntents(intents: readonly NewPushIntent[]) {
      const created: PushIntent[] = [];
      for (const intent of intents) {
        const rows = await insertIntent.run({
          ...intent,
          personId: intent.personId,
          tokenProjectIds: toJson(intent.tokenProjectIds),
          pushOptions: optionsText(intent.pushOptions),
        });
        created.push(...rows.map(toIntent));
      }
      return created;
    },
    async setIntentProcess(pushId, pid, startedTicks) {
      await db
        .updateTable('push_intent')
        .set({ receive_pid: pid, receive_started_ticks: startedTicks })
        .where('push_id', '=', pushId)
        .execute();
    },
    async listIntents() {
      return (await db.selectFrom('push_intent').selectAll().orderBy('id').execute()).map(toIntent);
    },
    async removeIntents(pushId) {
      await db.deleteFrom('push_intent').where('push_id', '=', pushId).execute();
    },

    async lastSeenRefs(projectId) {
      const rows = await db
        .selectFrom('last_seen_ref')
        .select(['ref', 'object'])
        .where('project_id', '=', projectId)
        .orderBy('ref')
        .execute();
      return new Map(rows.map((row) => [row.ref, row.object]));
    },
    async setLastSeenRef(projectId, ref, object) {
      if (noObject.test(object)) {
        await db.deleteFrom('last_seen_ref').where('project_id', '=', projectId).where('ref', '=', ref).execute();
        return;
      }
      await db
        .insertInto('last_seen_ref')
        .values({ project_id: projectId, ref, object })
        .onConflict((conflict) => conflict.columns(['project_id', 'ref']).doUpdateSet({ object }))
        .execute();
    },
  };
}

function toEvent(row: Omit<Selectable<Tables['event']>, 'trace'>): Event {
  return {
    id: row.id,
    projectId: row.project_id,
    kind: row.kind as EventKind,
    key: row.key,
    ref: row.ref,
    before: row.before,
    after: row.after,
    personName: row.person_name,
    personId: row.person_id ?? undefined,
    tokenProjectIds: fromJson<number[]>(row.token_project_ids),
    parameters: fromJson<Record<string, string>>(row.parameters),
    target: row.target ?? undefined,
    parentNumber: row.parent_number ?? undefined,
    cron: row.cron ?? undefined,
    webhook: row.webhook ?? undefined,
    pushOptions: fromJson<string[]>(row.push_options),
    ...(row.ignores_caches ? { ignoresCaches: true } : {}),
    ...(row.ignores_reuse ? { ignoresReuse: true } : {}),
    ...(row.pull_request === null ? {} : { pullRequest: fromJson<PullRequestFacts>(row.pull_request) }),
    ...(row.trust === 'untrusted' ? { trust: 'untrusted' } : {}),
    createdAt: new Date(row.created_at),
    plannedAt: toDate(row.planned_at),
    pipelineId: row.pipeline_id ?? undefined,
  };
}

/** None is as good as an empty list. */
function optionsText(options: readonly string[] | undefined): string | null {
  return toJson(options?.length === 0 ? undefined : options);
}

function toIntent(row: Selectable<Tables['push_intent']>): PushIntent {
  return {
    id: row.id,
    pushId: row.push_id,
    projectId: row.project_id,
    ref: row.ref,
    before: row.before,
    after: row.after,
    personName: row.person_name,
    personId: row.person_id ?? undefined,
    tokenProjectIds: fromJson<number[]>(row.token_project_ids),
    pushOptions: fromJson<string[]>(row.push_options),
    createdAt: new Date(row.created_at),
    receivePid: row.receive_pid ?? undefined,
    receiveStartedTicks: row.receive_started_ticks ?? undefined,
  };
}
