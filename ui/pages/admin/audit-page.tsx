import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query';
import { ask, askPages, call } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { Answer, EmptyState, FormError, Skeleton } from '../../parts/answers.tsx';
import { AuditList } from '../../parts/audit-list.tsx';
import { fieldOf } from '../../parts/field.tsx';
import { Icon } from '../../parts/icons.tsx';
import { useSearch } from '../../router.tsx';
import { SitePage } from './site-page.tsx';

const names = ['actor', 'action', 'project', 'outcome', 'from', 'to'] as const;
const groups = [
  'sign-in',
  'session',
  'password',
  'token',
  'device-login',
  'person',
  'organisation',
  'project',
  'member',
  'secret',
  'pipeline',
  'code',
  'site',
  'audit',
] as const;

/** The filters are the address: what was found can be sent to a colleague. */
export function AuditPage() {
  const t = useMessages();
  const [search] = useSearch();
  const query = queryOf(search);
  const exportAddress = `/api/v1/audit/export?${new URLSearchParams({ ...query })}`;
  return (
    <SitePage
      title={t.audit}
      actions={
        <a className="button" href={exportAddress} download="gantry-audit.jsonl" title={t.exportLinesHint}>
          <Icon name="download" size={14} />
          {t.exportLines}
        </a>
      }
    >
      {() => (
        <>
          <p className="lead">{t.auditLead}</p>
          <Filters key={String(search)} />
          <Records query={query} />
        </>
      )}
    </SitePage>
  );
}

interface AuditQuery {
  readonly actor?: string;
  readonly action?: string;
  readonly project?: string;
  readonly refused?: 'true';
  readonly from?: string;
  readonly to?: string;
}

/** What the address asks for, as the API wants it: whole days of whoever looks, the last one included. */
function queryOf(search: URLSearchParams): AuditQuery {
  const [actor, action, project] = (['actor', 'action', 'project'] as const).map((name) => search.get(name)?.trim());
  const from = startOfDay(search.get('from'), 0);
  const to = startOfDay(search.get('to'), 1);
  return {
    ...(actor && { actor }),
    ...(action && { action }),
    ...(project && { project }),
    ...(search.get('outcome') === 'refused' && { refused: 'true' }),
    ...(from && { from }),
    ...(to && { to }),
  };
}

/** `2026-11-25`, and days later, as an instant. */
function startOfDay(text: string | null, daysLater: number): string | undefined {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text ?? '') ?? [];
  return year === undefined
    ? undefined
    : new Date(Number(year), Number(month) - 1, Number(day) + daysLater).toISOString();
}

function Filters() {
  const t = useMessages();
  const [search, setSearch] = useSearch();
  const people = useQuery(ask('listPeople'));
  const projects = useQuery(ask('listProjects', { query: { limit: 100 } }));
  const at = (name: (typeof names)[number]): string => search.get(name) ?? '';
  const isFiltered = names.some((name) => at(name) !== '');
  return (
    <form
      className="audit-filters"
      onSubmit={(event) => {
        event.preventDefault();
        const form = new FormData(event.currentTarget);
        setSearch(Object.fromEntries(names.map((name) => [name, fieldOf(form, name).trim()])));
      }}
    >
      <label>
        {t.auditActor}
        <input name="actor" className="input small" defaultValue={at('actor')} list="audit-people" maxLength={63} />
      </label>
      <datalist id="audit-people">
        {people.data?.items.map(({ name, displayName }) => (
          <option key={name} value={name}>
            {displayName}
          </option>
        ))}
      </datalist>
      <label>
        {t.auditWhat}
        <select name="action" className="input small" defaultValue={at('action')}>
          <option value="">{t.auditAnything}</option>
          {groups.map((group) => (
            <option key={group} value={group}>
              {t.auditGroup[group]}
            </option>
          ))}
          {at('action') !== '' && !groups.some((group) => group === at('action')) && <option>{at('action')}</option>}
        </select>
      </label>
      <label>
        {t.auditProject}
        <input
          name="project"
          className="input small"
          defaultValue={at('project')}
          list="audit-projects"
          placeholder="owner/name"
          maxLength={130}
        />
      </label>
      <datalist id="audit-projects">
        {projects.data?.items.map(({ slug }) => (
          <option key={slug} value={slug} />
        ))}
      </datalist>
      <label>
        {t.auditOutcome}
        <select name="outcome" className="input small" defaultValue={at('outcome')}>
          <option value="">{t.auditAll}</option>
          <option value="refused">{t.auditRefused}</option>
        </select>
      </label>
      <label>
        {t.auditFrom}
        <input name="from" type="date" className="input small" defaultValue={at('from')} />
      </label>
      <label>
        {t.auditTo}
        <input name="to" type="date" className="input small" defaultValue={at('to')} />
      </label>
      <div className="row">
        <button type="submit" className="button small">
          {t.apply}
        </button>
        {isFiltered && (
          <button
            type="button"
            className="link"
            onClick={() => setSearch(Object.fromEntries(names.map((name) => [name, undefined])))}
          >
            {t.clearFilters}
          </button>
        )}
      </div>
    </form>
  );
}

function Records({ query }: { query: AuditQuery }) {
  const t = useMessages();
  const records = useInfiniteQuery({
    ...askPages('listAudit', { query: { ...query, limit: 50 } }),
    placeholderData: (before) => before,
  });
  const pages = records.data?.pages;
  return (
    <Answer
      query={{ ...records, data: pages?.flatMap(({ items }) => items) }}
      skeleton={<Skeleton rows={10} rowHeight={40} />}
    >
      {(items) => (
        <>
          <ChainState
            isUnbroken={pages?.every(({ isUnbroken }) => isUnbroken) ?? true}
            followedTo={pages?.at(-1)?.followedTo ?? 0}
          />
          {items.length > 0 ? (
            <AuditList entries={items} showsSubject />
          ) : (
            <EmptyState title={Object.keys(query).length > 0 ? t.auditNothing : t.auditEmpty}>
              <p>{t.auditEmptyHint}</p>
            </EmptyState>
          )}
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
      )}
    </Answer>
  );
}

/** Whether the record is as it was written, as far as was looked; the whole of it when somebody asks. */
function ChainState({ isUnbroken, followedTo }: { isUnbroken: boolean; followedTo: number }) {
  const t = useMessages();
  const check = useMutation({ mutationFn: () => call('verifyAudit') });
  const { data } = check;
  const isWhole = data ? data.isUnbroken : isUnbroken;
  return (
    <div className={isWhole ? 'notice chain-state' : 'notice chain-state broken'} role={isWhole ? 'status' : 'alert'}>
      <span className={isWhole ? 'ok' : 'bad'}>
        <Icon name={isWhole ? 'check' : 'cross'} />
      </span>
      <div className="grow">
        {!data
          ? isWhole
            ? t.chainWhole({ sequence: followedTo })
            : t.chainBroken
          : data.isUnbroken
            ? t.chainChecked({ count: data.records })
            : t.chainBrokenAt({ sequence: data.brokenAt ?? 0 })}
        {data?.isUnbroken && (
          <small className="quiet block">
            {t.lastHash} <code>{data.hash}</code>
          </small>
        )}
        <FormError error={check.error} />
      </div>
      <button
        type="button"
        className="button small"
        aria-disabled={check.isPending}
        onClick={() => check.isPending || check.mutate()}
      >
        {check.isPending ? t.checkingChain : t.checkChain}
      </button>
    </div>
  );
}
