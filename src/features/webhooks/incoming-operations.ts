import { GantryError } from '../../core/errors.ts';
import {
  type IncomingWebhook,
  incomingWebhooksPerProject,
  type SealedIncomingWebhook,
} from '../../core/incoming-webhook.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import { newWebhookSecret } from '../../lib/standard-webhook.ts';
import { auditEntry, nameOf } from '../audit-entry.ts';
import type { OperationHandlers } from '../feature.ts';
import { isBodyPath } from './body-path.ts';
import type { WebhooksDeps } from './deps.ts';
import { sealIncoming } from './sealed-values.ts';
import { incomingView } from './webhook-views.ts';

/** As many parameters as anybody needs. */
const mostParameters = 50;

/** Operations on a project's incoming webhooks. */
export function incomingOperations({ store, clock, sealer, repository, publicUrl }: WebhooksDeps) {
  async function getProject({
    owner,
    project,
  }: {
    readonly owner: string;
    readonly project: string;
  }): Promise<Project> {
    const found = await store.read.projects.findBySlug(owner, project);
    if (found) return found;
    const slug = `${owner}/${project}`;
    throw new GantryError('PROJECT_NOT_FOUND', `Cannot find the project "${slug}": there is none that you may see`, {
      details: { project: slug },
    });
  }

  async function requireBranch({ id }: Project, branch: string, what: string): Promise<void> {
    const ref = `refs/heads/${branch}`;
    if ((await repository.resolve(id, ref))?.ref !== ref)
      throw new GantryError('REF_NOT_FOUND', `${what}: there is no branch "${branch}"`);
  }

  const view = (hook: IncomingWebhook, project: Project) => incomingView(hook, projectSlug(project), publicUrl());

  return {
    async listIncomingWebhooks({ params }) {
      const project = await getProject(params);
      const hooks = await store.read.incomingWebhooks.list(project.id);
      return { items: hooks.map((hook) => view(hook, project)), next: null };
    },

    async createIncomingWebhook({ params, body }, request) {
      const project = await getProject(params);
      const subject = projectSlug(project);
      const what = `Cannot create the incoming webhook "${body.name}" of ${subject}`;
      const { name, proof, parameters, isEnabled, branch = project.defaultBranch } = body;
      checkParameters(parameters, what);
      await requireBranch(project, branch, what);
      const secret = newWebhookSecret();
      const at = clock.now();
      const created = await store.write(async (stores) => {
        if ((await stores.incomingWebhooks.list(project.id)).length >= incomingWebhooksPerProject)
          throw new GantryError('WEBHOOK_LIMIT', `${what}: it has ${incomingWebhooksPerProject} already`);
        const settings = { name, branch, proof, parameters, isEnabled };
        const id = await stores.incomingWebhooks.reserve({
          ...settings,
          projectId: project.id,
          createdAt: at,
          createdBy: nameOf(request),
        });
        if (id === undefined) throw new GantryError('WEBHOOK_EXISTS', `${what}: there is one with this name`);
        const sealed = await sealIncoming(sealer, stores, { id, projectId: project.id, name }, secret);
        await stores.incomingWebhooks.setSealed(id, sealed);
        const named = { subject, projectId: project.id };
        await stores.audit.append(auditEntry(request, at, 'incoming-webhook:create', named, settings));
        return getHook(stores, project, name, what);
      });
      return { ...view(created, project), secret };
    },

    async updateIncomingWebhook({ params, body }, request) {
      const project = await getProject(params);
      const subject = projectSlug(project);
      const what = `Cannot change the incoming webhook "${params.name}" of ${subject}`;
      const { renewSecret, ...change } = body;
      if (change.parameters) checkParameters(change.parameters, what);
      if (change.branch !== undefined) await requireBranch(project, change.branch, what);
      const secret = renewSecret ? newWebhookSecret() : null;
      const at = clock.now();
      const changed = await store.write(async (stores) => {
        const hook = await getHook(stores, project, params.name, what);
        await stores.incomingWebhooks.update(hook.id, change);
        if (secret !== null)
          await stores.incomingWebhooks.setSealed(hook.id, await sealIncoming(sealer, stores, hook, secret));
        const named = { subject, projectId: project.id };
        const details = { name: hook.name, ...change, ...(secret === null ? {} : { renewedSecret: true }) };
        await stores.audit.append(auditEntry(request, at, 'incoming-webhook:update', named, details));
        return getHook(stores, project, params.name, what);
      });
      return { ...view(changed, project), secret };
    },

    async removeIncomingWebhook({ params }, request) {
      const project = await getProject(params);
      const subject = projectSlug(project);
      const at = clock.now();
      await store.write(async (stores) => {
        const what = `Cannot remove the incoming webhook "${params.name}" of ${subject}`;
        const { id, name } = await getHook(stores, project, params.name, what);
        await stores.incomingWebhooks.remove(id);
        const named = { subject, projectId: project.id };
        await stores.audit.append(auditEntry(request, at, 'incoming-webhook:remove', named, { name }));
      });
    },
  } satisfies OperationHandlers;
}

async function getHook(stores: Stores, { id }: Project, name: string, what: string): Promise<SealedIncomingWebhook> {
  const hook = await stores.incomingWebhooks.findByName(id, name);
  if (hook) return hook;
  throw new GantryError('WEBHOOK_NOT_FOUND', `${what}: there is none with this name`);
}

function checkParameters(parameters: Readonly<Record<string, string>>, what: string): void {
  const entries = Object.entries(parameters);
  if (entries.length > mostParameters)
    throw new GantryError('WEBHOOK_INVALID', `${what}: more than ${mostParameters} parameters are named`);
  for (const [name, path] of entries)
    if (!isBodyPath(path))
      throw new GantryError(
        'WEBHOOK_INVALID',
        `${what}: "${path}", where ${name} is to come from, is no path such as $.release.tag or $.items[0].id`,
      );
}
