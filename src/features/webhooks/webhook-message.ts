import type { WebhookMessage, WebhookPayloads } from '../../api/webhook-payloads.ts';
import type { Happening, StoredHappening } from '../../core/events.ts';
import { isFinished, type Pipeline, type PipelineStatus } from '../../core/pipeline.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import type { WebhookEvent } from '../../core/webhook.ts';

const longestSubject = 200;
const noObject = /^0+$/;

/** What webhooks call a happening; `undefined` for one that they are not told of. */
export function webhookEventOf(happening: Happening): WebhookEvent | undefined {
  switch (happening.type) {
    case 'push-received':
      return happening.ref.startsWith('refs/tags/') ? 'tag' : 'push';
    case 'pipeline-changed':
      if (happening.status === 'running') return 'pipeline.started';
      return isFinished(happening.status) ? 'pipeline.finished' : undefined;
    case 'workflow-changed':
      return isFinished(happening.status) ? 'workflow.finished' : undefined;
    case 'step-changed':
      return happening.status === 'failed' || happening.status === 'infrastructure' ? 'step.failed' : undefined;
    case 'project-created':
      return 'project.created';
    case 'project-changed':
      return 'project.changed';
    default:
      return undefined;
  }
}

/** The message about a happening; `undefined` when what it tells of is not there any more. */
export async function webhookMessage(
  read: Stores,
  { happening, at }: StoredHappening,
  project: Project,
  publicUrl: string,
): Promise<WebhookMessage | undefined> {
  const timestamp = at.toISOString();
  const slug = projectSlug(project);
  const place = { slug, url: `${publicUrl}/${slug}` };
  switch (happening.type) {
    case 'push-received': {
      const event = await read.events.find(happening.eventId);
      if (!event) return undefined;
      const { ref, before, after, personName } = event;
      const moved = { project: place, ref, before, after, isDeleted: noObject.test(after), personName };
      const name = ref.replace(/^refs\/(heads|tags)\//, '');
      return ref.startsWith('refs/tags/')
        ? { type: 'tag', timestamp, data: { ...moved, tag: name } }
        : { type: 'push', timestamp, data: { ...moved, branch: name } };
    }
    case 'pipeline-changed': {
      const pipeline = await read.pipelines.find(happening.pipelineId);
      if (!pipeline) return undefined;
      const type = happening.status === 'running' ? 'pipeline.started' : 'pipeline.finished';
      return {
        type,
        timestamp,
        data: { project: place, pipeline: pipelineData(pipeline, place.url, happening.status) },
      };
    }
    case 'workflow-changed': {
      const pipeline = await read.pipelines.find(happening.pipelineId);
      if (!pipeline) return undefined;
      const { workflow: name, status, attempt } = happening;
      const data = { project: place, pipeline: pipelineData(pipeline, place.url), workflow: { name, status, attempt } };
      return { type: 'workflow.finished', timestamp, data };
    }
    case 'step-changed': {
      const pipeline = await read.pipelines.find(happening.pipelineId);
      if (!pipeline) return undefined;
      const { workflow, step: name, status, stepId } = happening;
      const about = pipelineData(pipeline, place.url);
      const step = { workflow, name, status, url: `${about.url}?step=${stepId}` };
      return { type: 'step.failed', timestamp, data: { project: place, pipeline: about, step } };
    }
    case 'project-created':
      return { type: 'project.created', timestamp, data: { project: place } };
    case 'project-changed':
      return { type: 'project.changed', timestamp, data: { project: place } };
    default:
      return undefined;
  }
}

/** `status` is what the happening says: the pipeline may have gone on since. */
function pipelineData(
  pipeline: Pipeline,
  projectUrl: string,
  status: PipelineStatus = pipeline.status,
): WebhookPayloads['pipeline.started']['pipeline'] {
  const { number, event, ref, branch, commit, message, personName, target, createdAt, startedAt, finishedAt } =
    pipeline;
  return {
    number,
    status,
    event,
    ref,
    branch,
    commit,
    subject: (message.split('\n', 1)[0] ?? '').slice(0, longestSubject),
    personName,
    target: target ?? null,
    createdAt: createdAt.toISOString(),
    startedAt: startedAt?.toISOString() ?? null,
    finishedAt: isFinished(status) ? (finishedAt?.toISOString() ?? null) : null,
    url: `${projectUrl}/pipelines/${number}`,
  };
}
