import { type ErrorCode, GantryError } from '../core/errors.ts';
import type { Action } from '../core/permission.ts';
import type { UnitOfWork } from '../core/unit-of-work.ts';
import type { RequestContext, ResourceName } from '../features/feature.ts';
import type { RefusalRecord } from './refusal-record.ts';

/** Refusals by rights: `can` said no, or said that there is nothing to see; a token of another is none of one's own. */
const byRights: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ACCESS_DENIED',
  'SCOPE_MISSING',
  'PROJECT_NOT_FOUND',
  'ORGANISATION_NOT_FOUND',
  'TOKEN_NOT_FOUND',
]);

interface Denial {
  readonly error: unknown;
  readonly action: Action;
  readonly resource: ResourceName;
  readonly request: RequestContext;
  /** What was asked for: the operation or route and the parameters of its path. Never a body. */
  readonly details: { readonly params?: Readonly<Record<string, string>> } & Readonly<Record<string, unknown>>;
  readonly deps: { readonly store: UnitOfWork; readonly refusals: RefusalRecord };
}

/**
 * Records that a signed-in person or a token of theirs was refused something that changes or discloses what matters: whatever
 * rights forbade, as something forbidden or as something that is not there. Who may do it and names what does not exist
 * was not refused.
 */
export async function noteDenial({ error, action, resource, request, details, deps }: Denial): Promise<void> {
  const { actor, remoteAddress, requestId } = request;
  if (actor.kind !== 'person' || !(error instanceof GantryError) || !isDenial(error)) return;
  const project =
    resource.on === 'project' ? await deps.store.read.projects.findBySlug(resource.owner, resource.name) : undefined;
  await deps.refusals.note({
    actor,
    action: `${action}:refused`,
    subject: subjectOf(resource, actor.person.name, details.params),
    remoteAddress,
    requestId,
    projectId: project?.id,
    details: {
      ...details,
      code: error.code,
      because: error.message.slice(0, 300),
      via: actor.via,
      credential: actor.credentialId,
    },
  });
}

function isDenial(error: GantryError): boolean {
  return byRights.has(error.code) || error.kind === 'forbidden';
}

/** In the words that the records of what was done use. */
function subjectOf(resource: ResourceName, me: string, params: Readonly<Record<string, string>> = {}): string {
  switch (resource.on) {
    case 'project':
      return `${resource.owner}/${resource.name}`;
    case 'owner':
      return resource.name === '' ? 'site' : `organisation:${resource.name}`;
    case 'self':
      return `person:${me}`;
    default:
      return params['name'] === undefined ? 'site' : `person:${params['name']}`;
  }
}
