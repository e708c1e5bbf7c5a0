import type { StepStatus } from '../core/pipeline.ts';
import type { Connection } from './connection.ts';

export interface StepValues {
  readonly workflowId: number;
  readonly pipelineId: number;
  readonly attempt: number;
  readonly position: number;
  readonly name: string;
  readonly status: StepStatus;
  readonly reason: string | null;
}

export interface StepChangeValues {
  readonly id: number;
  readonly status: StepStatus;
  readonly outcome: string | null;
  readonly reason: string | null;
  readonly failure: string | null;
  /** Milliseconds since 1970, as the database has them. */
  readonly startedAt: number | null;
  readonly runningAt: number | null;
  readonly finishedAt: number | null;
}

// PostgreSQL only: where each statement is a round trip, many rows travel as one text.
const insertSql = `
  insert into "step" ("workflow_id", "pipeline_id", "attempt", "position", "name", "status", "reason")
  select "workflowId", "pipelineId", "attempt", "position", "name", "status", "reason"
  from json_to_recordset($1::json) as "given" ("workflowId" bigint, "pipelineId" bigint, "attempt" bigint,
    "position" bigint, "name" text, "status" text, "reason" text)
  order by "workflowId", "position"
  returning "id", "workflow_id", "position"`;

const changeSql = `
  update "step" set
    "status" = "change"."status",
    "outcome" = coalesce("change"."outcome", "step"."outcome"),
    "reason" = coalesce("change"."reason", "step"."reason"),
    "failure" = coalesce("change"."failure", "step"."failure"),
    "started_at" = coalesce("change"."startedAt", "step"."started_at"),
    "running_at" = coalesce("change"."runningAt", "step"."running_at"),
    "finished_at" = coalesce("change"."finishedAt", "step"."finished_at")
  from json_to_recordset($1::json) as "change" ("id" bigint, "status" text, "outcome" text, "reason" text,
    "failure" text, "startedAt" bigint, "runningAt" bigint, "finishedAt" bigint)
  where "step"."id" = "change"."id"`;

/** Inserts steps and answers their ids. They are given by workflow and position, and answered so. */
export async function insertStepsAtOnce(
  connection: Connection,
  steps: readonly StepValues[],
): Promise<readonly number[]> {
  if (steps.length === 0) return [];
  const { rows } = await connection.execute(insertSql, [JSON.stringify(steps)]);
  const created = rows as readonly { readonly id: number; readonly workflow_id: number; readonly position: number }[];
  return created.toSorted((a, b) => a.workflow_id - b.workflow_id || a.position - b.position).map((row) => row.id);
}

/** Changes many steps in the order given: a step that is named twice gets both changes, one after the other. */
export async function changeStepsAtOnce(connection: Connection, changes: readonly StepChangeValues[]): Promise<void> {
  let round = new Map<number, StepChangeValues>();
  const send = async (): Promise<void> => {
    if (round.size === 0) return;
    const values = JSON.stringify([...round.values()]);
    round = new Map();
    await connection.execute(changeSql, [values]);
  };
  for (const change of changes) {
    // One statement changes a row once.
    if (round.has(change.id)) await send();
    round.set(change.id, change);
  }
  await send();
}
