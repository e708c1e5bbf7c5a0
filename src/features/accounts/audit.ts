import { GantryError } from '../../core/errors.ts';
import type { OperationHandlers } from '../feature.ts';
import type { AccountsDeps } from './deps.ts';

export function auditOperations({ store }: AccountsDeps) {
  return {
    async listAudit({ query: { limit, after } }) {
      if (after !== undefined && !/^\d{1,15}$/.test(after))
        throw new GantryError('REQUEST_INVALID', 'Cannot list the record: "after" is no cursor of this list');
      const entries = await store.read.audit.list({ limit, before: after === undefined ? undefined : Number(after) });
      const last = entries.at(-1);
      return {
        items: entries.map((entry) => ({ ...entry, at: entry.at.toISOString() })),
        next: entries.length === limit && last && last.sequence > 1 ? String(last.sequence) : null,
        isUnbroken: (await store.read.audit.verify()) === undefined,
      };
    },
  } satisfies OperationHandlers;
}
