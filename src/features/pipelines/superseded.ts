import { isFinished, type Pipeline } from '../../core/pipeline.ts';
import type { PipelineSettings } from '../../core/pipeline-settings.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Engine } from './engine.ts';

/** A pipeline as far as it can make another needless. */
type Newer = Pick<Pipeline, 'projectId' | 'event' | 'ref' | 'number'>;

/**
 * Cancels the pipelines that a newer one of the same event and reference makes needless, where the project wants that
 * (pipelines.md 10.6).
 */
export async function cancelSuperseded(engine: Engine, settings: PipelineSettings, newer: Newer): Promise<void> {
  if (!isSuperseding(settings, newer)) return;
  for (const open of engine.openPipelines()) {
    const { row, status } = open;
    if (isFinished(status) || row.projectId !== newer.projectId || row.number >= newer.number) continue;
    if (row.event !== newer.event || row.ref !== newer.ref) continue;
    await engine.cancel(open, `#${newer.number}`, { kind: 'superseded', number: newer.number, ref: newer.ref });
  }
}

/**
 * The same for what a server that died between the plan of the newer one and the cancel left running. What somebody
 * reran after that is meant to run.
 */
export async function cancelSupersededAtStart({ read }: UnitOfWork, engine: Engine): Promise<void> {
  for (const { row, workflows } of engine.openPipelines()) {
    if (workflows.some(({ attempt }) => attempt > 1)) continue;
    const project = await read.projects.find(row.projectId);
    if (!project || !isSuperseding(project.pipelines, row)) continue;
    const { projectId, event, branch } = row;
    const newest = (await read.pipelines.list(projectId, { event, branch, limit: 1 })).items[0];
    if (newest && newest.ref === row.ref) await cancelSuperseded(engine, project.pipelines, newest);
  }
}

function isSuperseding({ supersedingEvents }: PipelineSettings, { event }: Pick<Pipeline, 'event'>): boolean {
  return (supersedingEvents as readonly string[]).includes(event);
}
