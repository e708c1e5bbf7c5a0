import { z } from 'zod';
import { AuditQuery } from '../../api/accounts.ts';
import type { AuditEntry, AuditFilter, ChainMark } from '../../core/audit.ts';
import { GantryError } from '../../core/errors.ts';
import type { OperationHandlers, RawRoute } from '../feature.ts';
import { auditEntry } from './audit-entry.ts';
import type { AccountsDeps } from './deps.ts';

const exportedAtOnce = 500;
/** Records that one page of the list follows the chain for: some 0.1 s of this process. */
const followedAtOnce = 10_000;

export function auditOperations({ store }: Pick<AccountsDeps, 'store'>) {
  // How far the chain was followed: a page of the list must not cost the reading of all that ever happened.
  let followed: ChainMark | undefined;

  return {
    async listAudit({ query }) {
      const entries = await store.read.audit.list({ ...pageOf(query), ...(await filterOf(store, query)) });
      const { brokenAt, last } = await store.read.audit.follow(followed, followedAtOnce);
      // Where it broke stays broken: the place is not passed over the next time.
      if (brokenAt === undefined) followed = last;
      return { ...answerOf(entries, query.limit), isUnbroken: brokenAt === undefined, followedTo: last.sequence };
    },

    async verifyAudit() {
      const { brokenAt, last } = await store.read.audit.follow(undefined);
      // A record that was cut off at its end is whole in itself: only what was seen before tells.
      const isCut = followed !== undefined && brokenAt === undefined && last.sequence < followed.sequence;
      if (brokenAt === undefined && !isCut) followed = last;
      return {
        isUnbroken: brokenAt === undefined && !isCut,
        brokenAt: brokenAt ?? (isCut ? last.sequence + 1 : null),
        records: last.sequence,
        hash: last.hash,
      };
    },

    async listProjectAudit({ params, query }) {
      const project = await store.read.projects.findBySlug(params.owner, params.project);
      if (!project)
        throw new GantryError('PROJECT_NOT_FOUND', `Cannot find ${params.owner}/${params.project}: there is none`, {
          details: { project: `${params.owner}/${params.project}` },
        });
      const entries = await store.read.audit.list({ ...pageOf(query), ...whichOf(query), projectId: project.id });
      return answerOf(entries, query.limit);
    },
  } satisfies OperationHandlers;
}

const ExportQuery = AuditQuery.omit({ limit: true, after: true })
  .extend({ project: z.string().max(130).optional() })
  .strict();

/** The record as JSON lines, newest first as the list: as long as it is, page by page as its reader takes it. */
export function auditExportRoute({ store, clock }: Pick<AccountsDeps, 'store' | 'clock'>): RawRoute {
  return {
    method: 'GET',
    path: '/api/v1/audit/export',
    summary: 'The record as JSON lines, newest first; takes the filters of the list',
    policy: () => ({ action: 'site:administer', resource: { on: 'site' } }),
    challenge: 'problem',
    async handle(context, request) {
      const query = ExportQuery.safeParse(context.req.query());
      if (!query.success)
        throw new GantryError('REQUEST_INVALID', `Cannot export the record: ${z.prettifyError(query.error)}`);
      const filter = await filterOf(store, query.data);
      // Whoever takes the record with them stands in it.
      await store.write((stores) =>
        stores.audit.append(auditEntry(request, clock.now(), 'audit:export', 'site', { filter: query.data })),
      );
      let before: number | undefined;
      const lines = new ReadableStream<Uint8Array>({
        async pull(controller) {
          const entries = await store.read.audit.list({ limit: exportedAtOnce, before, ...filter });
          before = entries.at(-1)?.sequence;
          if (entries.length > 0)
            controller.enqueue(Buffer.from(entries.map((entry) => `${JSON.stringify(exportOf(entry))}\n`).join('')));
          if (entries.length < exportedAtOnce) controller.close();
        },
      });
      return new Response(lines, {
        headers: {
          'Content-Type': 'application/jsonl; charset=utf-8',
          'Content-Disposition': 'attachment; filename="gantry-audit.jsonl"',
          'Cache-Control': 'no-store',
        },
      });
    },
  };
}

function pageOf({ limit, after }: Pick<AuditQuery, 'limit' | 'after'>): { limit: number; before: number | undefined } {
  if (after !== undefined && !/^\d{1,15}$/.test(after))
    throw new GantryError('REQUEST_INVALID', 'Cannot list the record: "after" is no cursor of this list');
  return { limit, before: after === undefined ? undefined : Number(after) };
}

/** What the query asks for, but for its project. */
function whichOf({ actor, action, refused, from, to }: Omit<AuditQuery, 'limit' | 'after'>): AuditFilter {
  return {
    actor,
    action,
    isRefused: refused && true,
    from: from === undefined ? undefined : new Date(from),
    to: to === undefined ? undefined : new Date(to),
  };
}

/** A name that no project has may still stand in the record: as what somebody tried to reach. */
async function filterOf(
  store: AccountsDeps['store'],
  query: Omit<AuditQuery, 'limit' | 'after'> & { readonly project?: string | undefined },
): Promise<AuditFilter> {
  const filter = whichOf(query);
  if (query.project === undefined) return filter;
  const [owner = '', name = '', ...rest] = query.project.split('/');
  const project = rest.length === 0 ? await store.read.projects.findBySlug(owner, name) : undefined;
  return project ? { ...filter, projectId: project.id } : { ...filter, subject: query.project };
}

function answerOf(entries: readonly AuditEntry[], limit: number) {
  const last = entries.at(-1);
  return {
    items: entries.map(viewOf),
    next: entries.length === limit && last && last.sequence > 1 ? String(last.sequence) : null,
  };
}

/** With what the hash is taken over, so that the chain can be followed without Gantry. */
function exportOf(entry: AuditEntry) {
  return { ...entry, at: entry.at.toISOString(), projectId: entry.projectId ?? null };
}

function viewOf(entry: AuditEntry) {
  const { projectId: _, ...shown } = entry;
  return { ...shown, at: entry.at.toISOString() };
}
