import type { IncomingAnswer } from '../../api/webhooks.ts';
import { GantryError } from '../../core/errors.ts';
import type { Event } from '../../core/event.ts';
import type { SealedIncomingWebhook } from '../../core/incoming-webhook.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import { sortableId } from '../../lib/ids.ts';
import { newWebhookSecret } from '../../lib/standard-webhook.ts';
import type { RawRoute } from '../feature.ts';
import { parametersFrom } from './body-path.ts';
import { BodyReader } from './body-reader.ts';
import type { WebhooksDeps } from './deps.ts';
import { judgeSender, refused } from './judge-sender.ts';
import { openIncoming } from './sealed-values.ts';

const limits = { maxBytes: 1024 * 1024, maxHeldBytes: 64 * 1024 * 1024 };
/** New events of one webhook; repetitions cost nothing. */
const bucket = { capacity: 120, perSecond: 2 };
/** Senders give ten seconds: who would wait longer for the pipeline is told that the event is safe. */
const planWaitMs = 5_000;

/** Where other systems start pipelines: `POST /hooks/<owner>/<project>/<name>`. */
export function incomingRoute(deps: WebhooksDeps): RawRoute {
  const { store, sealer, clock } = deps;
  /** Compared with where there is no webhook, so that it takes as long. */
  const nobodysSecret = newWebhookSecret();
  const bodies = new BodyReader(limits);

  async function take(
    names: { readonly owner: string; readonly project: string; readonly name: string },
    request: Request,
    body: Buffer,
  ): Promise<IncomingAnswer> {
    const project = await store.read.projects.findBySlug(names.owner, names.project);
    const hook = project && (await store.read.incomingWebhooks.findByName(project.id, names.name));
    const secret = hook ? openIncoming(sealer, hook) : nobodysSecret;
    const header = (name: string): string | undefined => request.headers.get(name) ?? undefined;
    const id = judgeSender(hook?.proof ?? 'signature', secret, { header, body, now: clock.now() });
    if (!project || !hook) throw refused();
    return accept(deps, { project, hook, body, id });
  }

  return {
    method: 'POST',
    path: '/hooks/:owner/:project/:name',
    summary: 'Start a pipeline by an incoming webhook; its secret decides who may',
    policy: () => ({ action: 'site:visit', resource: { on: 'anyone' } }),
    challenge: 'problem',
    async handle(context) {
      const { owner = '', project = '', name = '' } = context.req.param() as Record<string, string>;
      const request = context.req.raw;
      const answered = await bodies.read(request, (body) => take({ owner, project, name }, request, body));
      return Response.json(answered, { status: 202 });
    },
  };
}

interface Accepted {
  readonly project: Project;
  readonly hook: SealedIncomingWebhook;
  readonly body: Buffer;
  /** `webhook-id`, where there is one. */
  readonly id: string | undefined;
}

/** From here on the sender is known. Its event is durable before anything is answered. */
async function accept(deps: WebhooksDeps, { project, hook, body, id }: Accepted): Promise<IncomingAnswer> {
  const { store, clock } = deps;
  const what = `Cannot start a pipeline by the webhook "${hook.name}" of ${projectSlug(project)}`;
  const key = `webhook:${hook.id}:${id ?? sortableId('once', clock.now())}`;
  const known = await store.read.events.findByKey(key);
  if (known) return answer(deps, known, false);
  if (!hook.isEnabled) throw new GantryError('WEBHOOK_DISABLED', `${what}: it is switched off`);
  if (project.archivedAt)
    throw new GantryError('PROJECT_ARCHIVED', `${what}: the project is archived`, {
      details: { project: projectSlug(project) },
    });
  const parameters = parametersFrom(body, hook.parameters);
  const ref = `refs/heads/${hook.branch}`;
  const found = await deps.repository.resolve(project.id, ref);
  if (found?.ref !== ref) throw new GantryError('REF_NOT_FOUND', `${what}: there is no branch "${hook.branch}"`);

  const { event, isNew } = await store.write(async (stores) => {
    const at = clock.now();
    const created = await stores.events.create({
      projectId: project.id,
      kind: 'manual',
      key,
      ref,
      before: found.commit,
      after: found.commit,
      personName: `webhook ${hook.name}`,
      webhook: hook.name,
      parameters,
      createdAt: at,
    });
    if (!created.isNew) return created;
    const { allowed, retryAfterMs } = await stores.rateLimits.take(`incoming-webhook:${hook.id}`, 1, bucket, at);
    if (!allowed)
      throw new GantryError('RATE_LIMITED', `${what}: it started ${bucket.capacity} in a short time`, {
        details: { retryAfterMs },
      });
    await stores.incomingWebhooks.update(hook.id, { lastAcceptedAt: at });
    return created;
  });
  return answer(deps, event, isNew);
}

async function answer({ planNow, logger }: WebhooksDeps, event: Event, isNew: boolean): Promise<IncomingAnswer> {
  const planning = planNow(event.id).catch((error: unknown) => {
    // The event is stored: it is planned again by itself.
    logger.error('An event of a webhook could not be planned', { error, eventId: event.id });
    return { pipeline: undefined };
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<{ pipeline: undefined }>((resolve) => {
    timer = setTimeout(() => resolve({ pipeline: undefined }), planWaitMs);
  });
  const { pipeline } = await Promise.race([planning, late]);
  clearTimeout(timer);
  return { event: event.id, pipeline: pipeline?.number ?? null, isNew };
}
