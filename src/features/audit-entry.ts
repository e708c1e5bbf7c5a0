import type { NewAuditEntry } from '../core/audit.ts';
import type { NamedHolder } from '../core/find-holder.ts';
import type { RequestContext } from './feature.ts';

/** Who asked, as the record and what they made name them. */
export function nameOf({ actor }: RequestContext): string {
  return actor.kind === 'person' ? actor.person.name : 'anonymous';
}

/**
 * A line of the audit record about what a project or an organisation holds. Secrets are never among the details, nor
 * paths and queries of addresses, which may hold some.
 */
export function auditEntry(
  request: RequestContext,
  at: Date,
  action: string,
  { subject, projectId }: Pick<NamedHolder, 'subject' | 'projectId'>,
  details: Readonly<Record<string, unknown>>,
): NewAuditEntry {
  return {
    at,
    actor: nameOf(request),
    action,
    subject,
    remoteAddress: request.remoteAddress,
    requestId: request.requestId,
    details,
    ...(projectId === undefined ? {} : { projectId }),
  };
}
