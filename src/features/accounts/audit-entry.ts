import type { NewAuditEntry } from '../../core/audit.ts';
import type { RequestContext } from '../feature.ts';

/** Who did it from where; `system` is the command line on the server's own host. */
export type Doer = Pick<RequestContext, 'actor' | 'remoteAddress' | 'requestId'>;

export const systemDoer: Doer = { actor: { kind: 'anonymous' }, remoteAddress: 'local', requestId: 'system' };

/** A line of the audit record. Values of secrets and passwords are never among `details`. */
export function auditEntry(
  doer: Doer,
  at: Date,
  action: string,
  subject: string,
  details: Readonly<Record<string, unknown>> = {},
): NewAuditEntry {
  const { actor, remoteAddress, requestId } = doer;
  const name = actor.kind === 'person' ? actor.person.name : doer === systemDoer ? 'system' : 'anonymous';
  return { at, actor: name, action, subject, remoteAddress, requestId, details };
}
