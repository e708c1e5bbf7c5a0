import { type Selectable, sql } from 'kysely';
import { type ApprovalState, isHeld } from '../core/approval.ts';
import type { EventKind } from '../core/event.ts';
import type {
  CancelCause,
  FailureExcerpt,
  NewPipeline,
  Outcome,
  Pipeline,
  PipelineError,
  PipelineFacts,
  PipelineStatus,
  PipelineStore,
  Step,
  StepChange,
  StepStatus,
  Workflow,
  WorkflowChange,
  WorkflowStatus,
} from '../core/pipeline.ts';
import { maxPassedLookback } from '../core/pipeline.ts';
import type { PipelinePlan, WorkflowPlan } from '../core/plan.ts';
import type { PullRequestFacts } from '../core/pull-request.ts';
import type { TraceEntry } from '../core/trace.ts';
import type { Connection } from './connection.ts';
import { fromCursor, toCursor } from './cursor.ts';
import { insertion, insertRows } from './insert-rows.ts';
import { fromJson, toDate, toJson } from './json-column.ts';
import { prepare } from './prepare.ts';
import { changeStepsAtOnce, insertStepsAtOnce, type StepChangeValues, type StepValues } from './steps-at-once.ts';
import type { Tables } from './tables.ts';

/** As the partial index of the table says it: written out, since the planner must see that it is the same. */
const isOpen = sql<boolean>`workflow.status in ('blocked', 'queued', 'claimed', 'running')`;

/** So few changes reach PostgreSQL sooner as single look-ups than as one join (1.3 against 0.15 ms for one). */
const changedOneByOne = 8;

/** SQLite has one writer, and its transaction holds off all others; PostgreSQL is asked to. */
const tokensOf = {
  sqlite: 'select "id", "attempt", "token" from "workflow" where "id" in (select value from json_each(?))',
  postgres:
    'select "id", "attempt", "token" from "workflow" ' +
    'where "id" in (select value::bigint from json_array_elements_text($1::json)) order by "id" for update',
} as const;

/** How many pipelines are run again by themselves in one go. */
const retriesAtOnce = 100;

const stepInsertion = insertion('step', [
  'workflow_id',
  'pipeline_id',
  'attempt',
  'position',
  'name',
  'status',
  'reason',
]);

interface NewPipelineValues
  extends Omit<
    NewPipeline,
    | 'facts'
    | 'parameters'
    | 'target'
    | 'parentNumber'
    | 'cron'
    | 'pullRequest'
    | 'trust'
    | 'approval'
    | 'hasApprovedSecrets'
    | 'error'
    | 'startedAt'
    | 'finishedAt'
  > {
  readonly parametersJson: string;
  readonly target: string | undefined;
  readonly parentNumber: number | undefined;
  readonly cron: string | undefined;
  readonly pullRequestJson: string | null;
  readonly trust: string | undefined;
  readonly approval: string | undefined;
  readonly hasApprovedSecrets: boolean | undefined;
  readonly errorJson: string | null;
  readonly startedAt: Date | undefined;
  readonly finishedAt: Date | undefined;
}

/** Each value with whether it is given: an absent one leaves the column, `null` clears it. */
interface WorkflowChangeValues {
  readonly id: number;
  readonly status: string | null;
  readonly attempt: number | null;
  readonly token: number | null;
  readonly setRunnerId: number;
  readonly runnerId: string | null;
  readonly setCancelledBy: number;
  readonly cancelledBy: string | null;
  readonly setCancelCause: number;
  readonly cancelCause: string | null;
  readonly isCancelFinal: number | null;
  readonly retries: number | null;
  readonly setQueuedAt: number;
  readonly queuedAt: Date | null;
  readonly setStartedAt: number;
  readonly startedAt: Date | null;
  readonly setFinishedAt: number;
  readonly finishedAt: Date | null;
}

/** Pipelines with their workflows, steps and traces in the database. */
export function createPipelineStore(connection: Connection): PipelineStore {
  const { db } = connection;
  const workflows = () =>
    db
      .selectFrom('workflow')
      .innerJoin('workflow_plan', 'workflow_plan.workflow_id', 'workflow.id')
      .selectAll('workflow')
      .select('workflow_plan.plan');

  const pipelineById = prepare<{ id: number }>()(connection, (_, value) =>
    db.selectFrom('pipeline').selectAll().where('id', '=', value.id),
  );
  const pipelineByNumber = prepare<{ projectId: number; number: number }>()(connection, (_, value) =>
    db.selectFrom('pipeline').selectAll().where('project_id', '=', value.projectId).where('number', '=', value.number),
  );
  const lastNumber = prepare<{ projectId: number }>()(connection, (_, value) =>
    db.selectFrom('project').select('last_number').where('id', '=', value.projectId),
  );
  const takeNumber = prepare<{ projectId: number; expected: number; before: number; at: Date; atMs: number }>()(
    connection,
    (_, value) =>
      db
        .updateTable('project')
        .set({
          last_number: value.expected,
          activity_at: sql<Date>`case when activity_at < ${value.atMs} then ${value.at} else activity_at end`,
        })
        .where('id', '=', value.projectId)
        .where('last_number', '=', value.before)
        .returning('id'),
  );
  const insertPipeline = prepare<NewPipelineValues>()(connection, (_, value) =>
    db
      .insertInto('pipeline')
      .values({
        project_id: value.projectId,
        number: value.expectedNumber,
        event_id: value.eventId,
        event: value.event,
        status: value.status,
        ref: value.ref,
        branch: value.branch,
        commit: value.commit,
        before: value.before,
        message: value.message,
        author_name: value.authorName,
        author_email: value.authorEmail,
        person_name: value.personName,
        parameters: value.parametersJson,
        target: value.target,
        parent_number: value.parentNumber,
        cron: value.cron,
        pull_request: value.pullRequestJson,
        trust: value.trust,
        approval: value.approval,
        has_approved_secrets: value.hasApprovedSecrets,
        error: value.errorJson,
        path: value.path,
        dialect: value.dialect,
        created_at: value.createdAt,
        started_at: value.startedAt,
        finished_at: value.finishedAt,
      })
      .returningAll(),
  );
  const insertFacts = prepare<{ pipelineId: number; facts: string }>()(connection, (_, value) =>
    db.insertInto('pipeline_facts').values({ pipeline_id: value.pipelineId, facts: value.facts }),
  );
  const insertWorkflow = prepare<{
    pipelineId: number;
    projectId: number;
    position: number;
    name: string;
    status: WorkflowStatus;
    queuedAt: Date | null;
  }>()(connection, (_, value) =>
    db
      .insertInto('workflow')
      .values({
        pipeline_id: value.pipelineId,
        project_id: value.projectId,
        position: value.position,
        name: value.name,
        status: value.status,
        attempt: 1,
        token: 0,
        queued_at: value.queuedAt,
      })
      .returning('id'),
  );
  const insertPlan = prepare<{ workflowId: number; plan: string }>()(connection, (_, value) =>
    db.insertInto('workflow_plan').values({ workflow_id: value.workflowId, plan: value.plan }),
  );
  const changeStep = prepare<StepChangeValues>()(connection, (_, value) =>
    db
      .updateTable('step')
      .set({
        status: value.status,
        outcome: sql<string | null>`coalesce(${value.outcome}, outcome)`,
        reason: sql<string | null>`coalesce(${value.reason}, reason)`,
        failure: sql<string | null>`coalesce(${value.failure}, failure)`,
        started_at: sql<Date | null>`coalesce(${value.startedAt}, started_at)`,
        running_at: sql<Date | null>`coalesce(${value.runningAt}, running_at)`,
        finished_at: sql<Date | null>`coalesce(${value.finishedAt}, finished_at)`,
      })
      .where('id', '=', value.id),
  );
  const changeWorkflow = prepare<WorkflowChangeValues>()(connection, (_, value) =>
    db
      .updateTable('workflow')
      .set({
        status: sql<string>`coalesce(${value.status}, status)`,
        attempt: sql<number>`coalesce(${value.attempt}, attempt)`,
        token: sql<number>`coalesce(${value.token}, token)`,
        runner_id: sql<string | null>`case when ${value.setRunnerId} = 1 then ${value.runnerId} else runner_id end`,
        cancelled_by: sql<
          string | null
        >`case when ${value.setCancelledBy} = 1 then ${value.cancelledBy} else cancelled_by end`,
        cancel_cause: sql<
          string | null
        >`case when ${value.setCancelCause} = 1 then ${value.cancelCause} else cancel_cause end`,
        is_cancel_final: sql<number>`coalesce(${value.isCancelFinal}, is_cancel_final)`,
        retries: sql<number>`coalesce(${value.retries}, retries)`,
        queued_at: sql<Date | null>`case when ${value.setQueuedAt} = 1 then ${value.queuedAt} else queued_at end`,
        started_at: sql<Date | null>`case when ${value.setStartedAt} = 1 then ${value.startedAt} else started_at end`,
        finished_at: sql<Date | null>`case when ${value.setFinishedAt} = 1 then ${value.finishedAt} else finished_at end`,
      })
      .where('id', '=', value.id),
  );
  const changeStatus = prepare<{
    id: number;
    status: PipelineStatus;
    startedAt: Date | undefined;
    setFinishedAt: number;
    finishedAt: Date | null;
  }>()(connection, (_, value) =>
    db
      .updateTable('pipeline')
      .set({
        status: value.status,
        started_at: sql<Date | null>`coalesce(${value.startedAt}, started_at)`,
        finished_at: sql<Date | null>`case when ${value.setFinishedAt} = 1 then ${value.finishedAt} else finished_at end`,
      })
      .where('id', '=', value.id),
  );
  const workflowById = prepare<{ id: number }>()(connection, (_, value) =>
    workflows().where('workflow.id', '=', value.id),
  );
  const workflowsOf = prepare<{ pipelineId: number }>()(connection, (_, value) =>
    workflows().where('workflow.pipeline_id', '=', value.pipelineId).orderBy('workflow.position'),
  );
  const stepById = prepare<{ id: number }>()(connection, (_, value) =>
    db.selectFrom('step').selectAll().where('id', '=', value.id),
  );
  const stepsOfAttempt = prepare<{ workflowId: number; attempt: number }>()(connection, (_, value) =>
    db
      .selectFrom('step')
      .selectAll()
      .where('workflow_id', '=', value.workflowId)
      .where('attempt', '=', value.attempt)
      .orderBy('position'),
  );
  const insertTrace = prepare<{ pipelineId: number; at: Date; entry: string }>()(connection, (_, value) =>
    db.insertInto('pipeline_trace').values({ pipeline_id: value.pipelineId, at: value.at, entry: value.entry }),
  );

  function insertSteps(values: readonly StepValues[]): Promise<readonly number[]> {
    if (connection.dialect === 'postgres') return insertStepsAtOnce(connection, values);
    const rows: unknown[] = [];
    for (const { workflowId, pipelineId, attempt, position, name, status, reason } of values)
      rows.push(workflowId, pipelineId, attempt, position, name, status, reason);
    return insertRows(connection, stepInsertion, rows);
  }

  async function createSteps(workflows: readonly Workflow[]): Promise<readonly Step[]> {
    const values: StepValues[] = [];
    const reasons: (TraceEntry | undefined)[] = [];
    for (const { id, pipelineId, attempt, plan } of workflows) {
      for (const [position, { name, skipped }] of plan.steps.entries()) {
        const status = skipped ? 'skipped' : 'waiting';
        values.push({ workflowId: id, pipelineId, attempt, position, name, status, reason: toJson(skipped) });
        reasons.push(skipped);
      }
    }
    const ids = await insertSteps(values);
    return values.map(({ workflowId, pipelineId, attempt, position, name, status }, at) => ({
      id: idAt(ids, at),
      workflowId,
      pipelineId,
      attempt,
      position,
      name,
      status,
      reason: reasons[at],
    }));
  }

  async function createWorkflows(pipeline: Pipeline, plan: PipelinePlan): Promise<readonly Workflow[]> {
    const created: Workflow[] = [];
    for (const [position, workflowPlan] of plan.workflows.entries()) {
      const waits =
        isHeld(pipeline.approval) || workflowPlan.dependsOn.length > 0 || workflowPlan.blocked !== undefined;
      const values = {
        pipelineId: pipeline.id,
        projectId: pipeline.projectId,
        position,
        name: workflowPlan.name,
        status: waits ? 'blocked' : 'queued',
        queuedAt: waits ? null : pipeline.createdAt,
      } as const;
      const [row] = await insertWorkflow.run(values);
      if (!row) throw new TypeError(`Cannot create the workflow "${workflowPlan.name}": the database gave it no id`);
      await insertPlan.run({ workflowId: row.id, plan: JSON.stringify(workflowPlan) });
      // The plan as it was handed in: reading back what was just written would cost more than writing it.
      created.push({
        ...values,
        id: row.id,
        attempt: 1,
        token: 0,
        plan: workflowPlan,
        queuedAt: values.queuedAt ?? undefined,
      });
    }
    return created;
  }

  return {
    async find(id) {
      return (await pipelineById.run({ id })).map(toPipeline)[0];
    },
    async findByNumber(projectId, number) {
      return (await pipelineByNumber.run({ projectId, number })).map(toPipeline)[0];
    },
    async findByEvent(eventId) {
      const rows = await db.selectFrom('pipeline').selectAll().where('event_id', '=', eventId).execute();
      return rows.map(toPipeline)[0];
    },
    async facts(id) {
      const row = await db
        .selectFrom('pipeline_facts')
        .select('facts')
        .where('pipeline_id', '=', id)
        .executeTakeFirst();
      return row && fromJson<PipelineFacts>(row.facts);
    },
    async passedStepDurations({ projectId, branch, number }, pipelines) {
      const rows = await db
        .selectFrom((each) =>
          each
            .selectFrom('pipeline')
            .select('id')
            .where('project_id', '=', projectId)
            .where('branch', '=', branch)
            .where('number', '<', number)
            .where('number', '>=', number - maxPassedLookback)
            .where('status', '=', 'passed')
            .orderBy('number', 'desc')
            .limit(pipelines)
            .as('passed'),
        )
        .innerJoin('workflow', 'workflow.pipeline_id', 'passed.id')
        .innerJoin('step', (join) =>
          join.onRef('step.workflow_id', '=', 'workflow.id').onRef('step.attempt', '=', 'workflow.attempt'),
        )
        .select(['workflow.name as workflow', 'step.name as step', 'step.started_at', 'step.finished_at'])
        .where('step.status', '=', 'passed')
        // One whose earlier result was put back did not take its time.
        .where((where) =>
          where.or([where('step.reason', 'is', null), where('step.reason', 'not like', '%reuse.taken%')]),
        )
        .execute();
      return rows.flatMap(({ workflow, step, started_at, finished_at }) => {
        const [startedAt, finishedAt] = [toDate(started_at), toDate(finished_at)];
        return startedAt && finishedAt
          ? [{ workflow, step, durationMs: finishedAt.getTime() - startedAt.getTime() }]
          : [];
      });
    },
    async list(projectId, page) {
      let query = db
        .selectFrom('pipeline')
        .selectAll()
        .where('project_id', '=', projectId)
        .orderBy('number', 'desc')
        .limit(page.limit + 1);
      if (page.status !== undefined) query = query.where('status', 'in', [...page.status]);
      if (page.branch !== undefined) query = query.where('branch', '=', page.branch);
      if (page.event !== undefined) query = query.where('event', '=', page.event);
      if (page.after !== undefined) {
        const [number = 0] = fromCursor(page.after, 1);
        query = query.where('number', '<', number);
      }
      const rows = await query.execute();
      const last = rows.length > page.limit ? rows[page.limit - 1] : undefined;
      return { items: rows.slice(0, page.limit).map(toPipeline), next: last ? toCursor([last.number]) : null };
    },
    async latest(projectIds) {
      if (projectIds.length === 0) return new Map();
      // The project knows its newest number, so each is one look-up however many pipelines there are.
      const rows = await db
        .selectFrom('project')
        .innerJoin('pipeline', (join) =>
          join.onRef('pipeline.project_id', '=', 'project.id').onRef('pipeline.number', '=', 'project.last_number'),
        )
        .selectAll('pipeline')
        .where('project.id', 'in', [...projectIds])
        .execute();
      return new Map(rows.map((row) => [row.project_id, toPipeline(row)]));
    },
    async nextNumber(projectId) {
      const [row] = await lastNumber.run({ projectId });
      return (row?.last_number ?? 0) + 1;
    },
    async create(pipeline: NewPipeline, plan: PipelinePlan) {
      const number = pipeline.expectedNumber;
      const taken = await takeNumber.run({
        projectId: pipeline.projectId,
        expected: number,
        before: number - 1,
        at: pipeline.createdAt,
        atMs: pipeline.createdAt.getTime(),
      });
      if (taken.length === 0) return undefined;

      const [row] = await insertPipeline.run({
        ...pipeline,
        parametersJson: JSON.stringify(pipeline.parameters),
        target: pipeline.target,
        parentNumber: pipeline.parentNumber,
        cron: pipeline.cron,
        pullRequestJson: toJson(pipeline.pullRequest),
        trust: pipeline.trust,
        approval: pipeline.approval,
        hasApprovedSecrets: pipeline.hasApprovedSecrets,
        errorJson: toJson(pipeline.error),
        startedAt: pipeline.startedAt,
        finishedAt: pipeline.finishedAt,
      });
      if (!row) throw new TypeError(`Cannot create pipeline ${number}: the database gave it no id`);
      const created = toPipeline(row);
      if (pipeline.facts) await insertFacts.run({ pipelineId: created.id, facts: JSON.stringify(pipeline.facts) });
      const createdWorkflows = await createWorkflows(created, plan);
      return { pipeline: created, workflows: createdWorkflows, steps: await createSteps(createdWorkflows) };
    },
    async setApproval(id, approval, hasSecrets) {
      await db
        .updateTable('pipeline')
        .set({ approval, has_approved_secrets: hasSecrets })
        .where('id', '=', id)
        .execute();
    },
    async setStatus(id, change) {
      await changeStatus.run({
        id,
        status: change.status,
        startedAt: change.startedAt,
        setFinishedAt: change.finishedAt === undefined ? 0 : 1,
        finishedAt: change.finishedAt ?? null,
      });
    },

    async scheduleRetry(pipelineId, dueAt) {
      await db
        .insertInto('pipeline_retry')
        .values({ pipeline_id: pipelineId, due_at: dueAt })
        .onConflict((conflict) => conflict.column('pipeline_id').doUpdateSet({ due_at: dueAt }))
        .execute();
    },
    async dueRetries(at) {
      const rows = await db
        .selectFrom('pipeline_retry')
        .select('pipeline_id')
        .where('due_at', '<=', at.getTime())
        .orderBy('due_at')
        .limit(retriesAtOnce)
        .execute();
      return rows.map((row) => row.pipeline_id);
    },
    async takeRetry(pipelineId) {
      const taken = await db
        .deleteFrom('pipeline_retry')
        .where('pipeline_id', '=', pipelineId)
        .returning('pipeline_id')
        .executeTakeFirst();
      return taken !== undefined;
    },

    async noteRerun(workflowId, { personId, tokenProjectIds }) {
      const values = { person_id: personId, token_project_ids: toJson(tokenProjectIds) };
      await db
        .insertInto('workflow_rerun')
        .values({ workflow_id: workflowId, ...values })
        .onConflict((conflict) => conflict.column('workflow_id').doUpdateSet(values))
        .execute();
    },
    async rerunBy(workflowId) {
      const row = await db
        .selectFrom('workflow_rerun')
        .selectAll()
        .where('workflow_id', '=', workflowId)
        .executeTakeFirst();
      if (!row) return undefined;
      const limits = row.token_project_ids;
      return { personId: row.person_id, ...(limits === null ? {} : { tokenProjectIds: fromJson<number[]>(limits) }) };
    },

    async findWorkflow(id) {
      return (await workflowById.run({ id })).map(toWorkflow)[0];
    },
    async workflows(pipelineId) {
      return (await workflowsOf.run({ pipelineId })).map(toWorkflow);
    },
    async openWorkflows() {
      return (await workflows().where(isOpen).orderBy('workflow.id').execute()).map(toWorkflow);
    },
    async updateWorkflow(change: WorkflowChange) {
      await changeWorkflow.run({
        id: change.id,
        status: change.status ?? null,
        attempt: change.attempt ?? null,
        token: change.token ?? null,
        setRunnerId: change.runnerId === undefined ? 0 : 1,
        runnerId: change.runnerId ?? null,
        setCancelledBy: change.cancelledBy === undefined ? 0 : 1,
        cancelledBy: change.cancelledBy ?? null,
        setCancelCause: change.cancelCause === undefined ? 0 : 1,
        cancelCause: toJson(change.cancelCause ?? undefined),
        isCancelFinal: change.isCancelFinal === undefined ? null : Number(change.isCancelFinal),
        retries: change.retries ?? null,
        setQueuedAt: change.queuedAt === undefined ? 0 : 1,
        queuedAt: change.queuedAt ?? null,
        setStartedAt: change.startedAt === undefined ? 0 : 1,
        startedAt: change.startedAt ?? null,
        setFinishedAt: change.finishedAt === undefined ? 0 : 1,
        finishedAt: change.finishedAt ?? null,
      });
    },
    async staleClaims(claims) {
      const ids = JSON.stringify(claims.map(({ workflowId }) => workflowId));
      const { rows } = await connection.execute(tokensOf[connection.dialect], [ids]);
      const present = new Map(rows.map((row) => [Number(row['id']), row]));
      return claims.flatMap(({ workflowId, attempt, token }) => {
        const row = present.get(workflowId);
        return row && Number(row['attempt']) === attempt && Number(row['token']) === token ? [] : [workflowId];
      });
    },

    async findStep(id) {
      return (await stepById.run({ id })).map(toStep)[0];
    },
    async steps(pipelineId) {
      const rows = await db
        .selectFrom('step')
        .selectAll()
        .where('pipeline_id', '=', pipelineId)
        .orderBy('workflow_id')
        .orderBy('attempt')
        .orderBy('position')
        .execute();
      return rows.map(toStep);
    },
    async stepsOf(workflowId, attempt) {
      return (await stepsOfAttempt.run({ workflowId, attempt })).map(toStep);
    },
    async updateSteps(changes: readonly StepChange[]) {
      const values = changes.map(
        (change): StepChangeValues => ({
          id: change.id,
          status: change.status,
          outcome: toJson(change.outcome),
          reason: toJson(change.reason),
          failure: toJson(change.failure),
          startedAt: change.startedAt?.getTime() ?? null,
          runningAt: change.runningAt?.getTime() ?? null,
          finishedAt: change.finishedAt?.getTime() ?? null,
        }),
      );
      const atOnce = connection.dialect === 'postgres' && values.length > changedOneByOne;
      await (atOnce ? changeStepsAtOnce(connection, values) : changeStep.runMany(values));
    },
    createSteps: (workflow) => createSteps([workflow]),

    async addTrace(pipelineId, entries, at) {
      await insertTrace.runMany(entries.map((entry) => ({ pipelineId, at, entry: JSON.stringify(entry) })));
    },
    async trace(pipelineId) {
      const rows = await db
        .selectFrom('pipeline_trace')
        .select(['at', 'entry'])
        .where('pipeline_id', '=', pipelineId)
        .orderBy('id')
        .execute();
      return rows.map((row) => ({ ...fromJson<TraceEntry>(row.entry), at: new Date(row.at) }));
    },
  };
}

function idAt(ids: readonly number[], position: number): number {
  const id = ids[position];
  if (id === undefined) throw new TypeError(`Cannot create step ${position}: the database gave it no id`);
  return id;
}

function toPipeline(row: Selectable<Tables['pipeline']>): Pipeline {
  return {
    id: row.id,
    projectId: row.project_id,
    number: row.number,
    eventId: row.event_id,
    event: row.event as EventKind,
    status: row.status as PipelineStatus,
    ref: row.ref,
    branch: row.branch,
    commit: row.commit,
    before: row.before,
    message: row.message,
    authorName: row.author_name,
    authorEmail: row.author_email,
    personName: row.person_name,
    parameters: fromJson<Record<string, string>>(row.parameters),
    target: row.target ?? undefined,
    parentNumber: row.parent_number ?? undefined,
    cron: row.cron ?? undefined,
    ...(row.pull_request === null ? {} : { pullRequest: fromJson<PullRequestFacts>(row.pull_request) }),
    ...(row.trust === 'untrusted' ? { trust: 'untrusted' } : {}),
    ...(row.approval === null ? {} : { approval: row.approval as ApprovalState }),
    ...(row.has_approved_secrets ? { hasApprovedSecrets: true } : {}),
    error: fromJson<PipelineError>(row.error),
    path: row.path,
    dialect: row.dialect,
    createdAt: new Date(row.created_at),
    startedAt: toDate(row.started_at),
    finishedAt: toDate(row.finished_at),
  };
}

function toWorkflow(row: Selectable<Tables['workflow']> & { readonly plan: string }): Workflow {
  return {
    id: row.id,
    pipelineId: row.pipeline_id,
    projectId: row.project_id,
    position: row.position,
    name: row.name,
    status: row.status as WorkflowStatus,
    attempt: row.attempt,
    plan: fromJson<WorkflowPlan>(row.plan),
    token: row.token,
    runnerId: row.runner_id ?? undefined,
    cancelledBy: row.cancelled_by ?? undefined,
    ...(row.cancel_cause === null ? {} : { cancelCause: fromJson<CancelCause>(row.cancel_cause) }),
    ...(Number(row.is_cancel_final) === 1 ? { isCancelFinal: true } : {}),
    ...(Number(row.retries) === 0 ? {} : { retries: Number(row.retries) }),
    queuedAt: toDate(row.queued_at),
    startedAt: toDate(row.started_at),
    finishedAt: toDate(row.finished_at),
  };
}

function toStep(row: Selectable<Tables['step']>): Step {
  return {
    id: row.id,
    workflowId: row.workflow_id,
    pipelineId: row.pipeline_id,
    attempt: row.attempt,
    position: row.position,
    name: row.name,
    status: row.status as StepStatus,
    outcome: fromJson<Outcome>(row.outcome),
    reason: fromJson<TraceEntry>(row.reason),
    failure: fromJson<FailureExcerpt>(row.failure),
    startedAt: toDate(row.started_at),
    runningAt: toDate(row.running_at),
    finishedAt: toDate(row.finished_at),
  };
}
