import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { CacheView } from '../../../src/api/caches.ts';
import { type ProjectName, pipelineAddress } from '../../addresses.ts';
import { ask, call, refresh } from '../../api.ts';
import { formatBytes, useMessages } from '../../language.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast } from '../../parts/toast.tsx';
import { Link } from '../../router.tsx';

/** What steps keep from one pipeline to the next: how large, whose, of how much use. */
export function CacheSettings({ name, mayDelete }: { name: ProjectName; mayDelete: boolean }) {
  const t = useMessages();
  const caches = useQuery(ask('listCaches', { params: name }));
  const [deleting, setDeleting] = useState<CacheView>();
  return (
    <section className="box flush">
      <div className="box-head">
        <h2>{t.settingsTab.caches}</h2>
        <span className="spacer" />
        {caches.data && <Totals {...caches.data} />}
      </div>
      <Answer query={caches}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title={t.noCaches}>
              <p>{t.cachesHint}</p>
            </EmptyState>
          ) : (
            <ul className="entries">
              {items.map((cache) => (
                <CacheEntry
                  key={cache.id}
                  name={name}
                  cache={cache}
                  onDelete={mayDelete ? () => setDeleting(cache) : undefined}
                />
              ))}
            </ul>
          )
        }
      </Answer>
      <p className="box-note quiet">{t.cachesNote}</p>
      {deleting && (
        <FormDialog
          title={t.deleteCache({ key: deleting.key })}
          description={t.deleteCacheHint}
          action={t.remove}
          isDangerous
          onClose={() => setDeleting(undefined)}
          onSubmit={async () => {
            await call('deleteCache', { params: { ...name, cache: deleting.id } });
            toast(t.cacheDeleted({ key: deleting.key }));
            await refresh('listCaches');
          }}
        />
      )}
    </section>
  );
}

interface EntryProps {
  readonly name: ProjectName;
  readonly cache: CacheView;
  readonly onDelete: (() => void) | undefined;
}

function CacheEntry({ name, cache, onDelete }: EntryProps) {
  const t = useMessages();
  const rate = useRate(cache);
  return (
    <li className="entry tall">
      <div className="grow">
        <b className="mono">
          <bdi>{cache.key}</bdi>
        </b>{' '}
        {cache.kind === 'step-result' && <span className="tag">{t.stepResult}</span>}{' '}
        <span className="tag">{cache.branch ?? t.cacheForAll}</span>
        <span className="block">
          {formatBytes(cache.sizeBytes)} · {rate ?? t.cacheNeverAsked}
        </span>
        <small className="quiet block">
          <Link to={pipelineAddress(name, cache.savedBy)}>{t.cacheSavedBy({ number: cache.savedBy })}</Link>{' '}
          <Ago at={cache.savedAt} /> · {t.cacheUsed} <Ago at={cache.usedAt} />
        </small>
        <small className="quiet block mono">
          <bdi>{cache.paths.join(' ')}</bdi>
        </small>
      </div>
      {onDelete && (
        <button type="button" className="button small" onClick={onDelete}>
          {t.remove}
          <span className="hidden-text"> {cache.key}</span>
        </button>
      )}
    </li>
  );
}

function Totals({ items, hits, misses }: Counts & { readonly items: readonly CacheView[] }) {
  const t = useMessages();
  const rate = useRate({ hits, misses });
  const size = formatBytes(items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  return (
    <small className="quiet">
      {t.cacheTotal({ size, count: items.length })}
      {rate !== undefined && ` · ${rate}`}
    </small>
  );
}

interface Counts {
  readonly hits: number;
  readonly misses: number;
}

/** Undefined before anybody has asked. */
function useRate({ hits, misses }: Counts): string | undefined {
  const t = useMessages();
  const asked = hits + misses;
  return asked === 0 ? undefined : t.cacheRate({ percent: Math.round((100 * hits) / asked), hits, asked });
}
