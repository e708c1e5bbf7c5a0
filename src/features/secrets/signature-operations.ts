import { GantryError } from '../../core/errors.ts';
import { findHolder } from '../../core/find-holder.ts';
import { signatureOf } from '../../engine/signature.ts';
import { auditEntry } from '../audit-entry.ts';
import type { OperationHandlers } from '../feature.ts';
import type { SealingDeps } from './deps.ts';
import { ensureSigningKey } from './signing-key.ts';

/** Signs pipeline files. The key never leaves the server. */
export function signatureOperations(deps: SealingDeps) {
  return {
    async signPipelineFile({ params, body }, request) {
      const named = await findHolder(deps.store.read, params);
      if (named.projectId === undefined)
        throw new GantryError('PROJECT_NOT_FOUND', `Cannot sign a file for ${named.subject}: it is no project`);
      const hmac = signatureOf(body.text, await ensureSigningKey(deps, named.projectId));
      const entry = auditEntry(request, deps.clock.now(), 'pipeline-file:sign', named, { hmac });
      await deps.store.write((stores) => stores.audit.append(entry));
      return { hmac };
    },
  } satisfies OperationHandlers;
}
