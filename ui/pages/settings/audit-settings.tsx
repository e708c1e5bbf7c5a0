import { useInfiniteQuery } from '@tanstack/react-query';
import type { ProjectName } from '../../addresses.ts';
import { askPages } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { Answer, EmptyState, Skeleton } from '../../parts/answers.tsx';
import { AuditList } from '../../parts/audit-list.tsx';

/** What of the audit is about this project. */
export function AuditSettings({ name }: { name: ProjectName }) {
  const t = useMessages();
  const records = useInfiniteQuery(askPages('listProjectAudit', { params: name, query: { limit: 50 } }));
  return (
    <>
      <p className="quiet">{t.auditLead}</p>
      <Answer
        query={{ ...records, data: records.data?.pages.flatMap(({ items }) => items) }}
        skeleton={<Skeleton rows={8} rowHeight={40} />}
      >
        {(items) =>
          items.length === 0 ? (
            <EmptyState title={t.auditEmpty}>
              <p>{t.auditEmptyHint}</p>
            </EmptyState>
          ) : (
            <>
              <AuditList entries={items} showsSubject={false} />
              {records.hasNextPage && (
                <button
                  type="button"
                  className="button more"
                  aria-disabled={records.isFetchingNextPage}
                  onClick={() => void records.fetchNextPage()}
                >
                  {t.showMore}
                </button>
              )}
            </>
          )
        }
      </Answer>
    </>
  );
}
