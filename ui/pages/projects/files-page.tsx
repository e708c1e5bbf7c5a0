import { useQuery } from '@tanstack/react-query';
import { lazy, type MouseEvent, Suspense, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { commitsAddress, filesAddress, type ProjectName } from '../../addresses.ts';
import { ask } from '../../api.ts';
import { formatBytes, formatNumber, useMessages } from '../../language.ts';
import { useTopic } from '../../live/live.ts';
import { usePageTitle } from '../../page-state.ts';
import { Answer, EmptyState, Skeleton } from '../../parts/answers.tsx';
import { CopyButton } from '../../parts/copy.tsx';
import { Segmented } from '../../parts/field.tsx';
import { Link, useSearch } from '../../router.tsx';
import { markBidi } from '../pipelines/ansi.ts';
import { Folder, useRepositoryLinks } from './folder.tsx';
import { CodeHeader } from './project-header.tsx';

const Markdown = lazy(() => import('../../parts/markdown.tsx'));

/** `?at=` branch, tag or commit · `?path=` · `view=file` where the path is a file's. */
export function FilesPage({ owner, project }: { owner: string; project: string }) {
  const [search] = useSearch();
  const name = { owner, project };
  const at = search.get('at') ?? undefined;
  const path = (search.get('path') ?? '').replace(/^\/+|\/+$/g, '');
  const isFile = search.get('view') === 'file';
  const found = useQuery(ask('getProject', { params: name }));
  usePageTitle(path === '' ? `${owner}/${project}` : `${path} · ${owner}/${project}`);
  useTopic(`project:${owner}/${project}`);
  const parts = path === '' ? [] : path.split('/');
  return (
    <div className="page">
      <CodeHeader
        owner={owner}
        project={project}
        current="files"
        title={<bdi>{parts.at(-1) ?? project}</bdi>}
        crumbs={parts.map((part, i) => ({
          label: part,
          ...(i < parts.length - 1 && { to: filesAddress(name, at, parts.slice(0, i + 1).join('/')) }),
        }))}
      />
      <Answer query={found}>
        {({ defaultBranch }) =>
          isFile ? (
            <File key={path} name={name} at={at} path={path} />
          ) : (
            <Folder name={name} at={at} defaultBranch={defaultBranch} path={path} />
          )
        }
      </Answer>
    </div>
  );
}

function File({ name, at, path }: { name: ProjectName; at: string | undefined; path: string }) {
  const t = useMessages();
  const file = useQuery(ask('getFile', { params: name, query: { path, ...(at !== undefined && { at }) } }));
  const isDocument = /\.(md|markdown)$/i.test(path);
  const [view, setView] = useState<'document' | 'source'>(isDocument && location.hash === '' ? 'document' : 'source');
  const resolveLink = useRepositoryLinks(name, at, path.split('/').slice(0, -1).join('/'));
  return (
    <section className="box flush">
      <Answer query={file} skeleton={<Skeleton rows={14} rowHeight={28} />}>
        {({ text, sizeBytes }) => (
          <>
            <div className="box-head">
              {isDocument && (
                <Segmented
                  label={t.view}
                  value={view}
                  onChange={setView}
                  options={[
                    { value: 'document', label: t.document },
                    { value: 'source', label: t.source },
                  ]}
                />
              )}
              <span className="quiet number">
                {text !== null && `${t.lines({ count: lineCount(text) })} · `}
                {formatBytes(sizeBytes)}
              </span>
              <span className="spacer" />
              <Link to={commitsAddress(name, at, path)} className="link">
                {t.history}
              </Link>
              {text !== null && <CopyButton text={text} label={t.copy} />}
            </div>
            {text === null ? (
              <EmptyState title={t.binaryFile}>
                <p>{t.binaryFileHint({ bytes: formatNumber(sizeBytes) })}</p>
              </EmptyState>
            ) : view === 'document' ? (
              <Suspense fallback={<Skeleton />}>
                <Markdown text={text} resolveLink={resolveLink} />
              </Suspense>
            ) : (
              <Source text={text} />
            )}
          </>
        )}
      </Answer>
    </section>
  );
}

const lineHeight = 20;

function lineCount(text: string): number {
  return text === '' ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

/** Text beside its line numbers: two text nodes however long it is; a click on a number links to its line. */
function Source({ text }: { text: string }) {
  const t = useMessages();
  const gutter = useRef<HTMLPreElement>(null);
  const mark = useRef<HTMLDivElement>(null);
  const hash = useSyncExternalStore(listenToHash, () => location.hash);
  const [first, last] = useMemo(() => readLines(hash), [hash]);
  const count = lineCount(text);
  const numbers = useMemo(() => Array.from({ length: count }, (_, i) => i + 1).join('\n'), [count]);
  const shown = useMemo(() => markBidi(text), [text]);

  useEffect(() => mark.current?.scrollIntoView({ block: 'center' }), []);

  const choose = (event: MouseEvent): void => {
    const top = gutter.current?.getBoundingClientRect().top ?? 0;
    const line = Math.min(count, Math.max(1, Math.floor((event.clientY - top - 8) / lineHeight) + 1));
    const range = event.shiftKey && first > 0 ? [Math.min(first, line), Math.max(first, line)] : [line];
    history.replaceState(history.state, '', `#${range.map((one) => `L${one}`).join('-')}`);
    dispatchEvent(new HashChangeEvent('hashchange'));
  };
  return (
    <div className="source">
      {first > 0 && first <= count && (
        <div
          className="source-mark"
          ref={mark}
          style={{ top: 8 + (first - 1) * lineHeight, height: (Math.min(last, count) - first + 1) * lineHeight }}
        />
      )}
      <pre className="source-numbers" ref={gutter} onClick={choose} aria-hidden="true" title={t.linkToLine}>
        {numbers}
      </pre>
      <pre className="source-text" tabIndex={0} role="group" aria-label={t.source}>
        {shown}
      </pre>
    </div>
  );
}

function listenToHash(listener: () => void): () => void {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
}

function readLines(hash: string): [first: number, last: number] {
  const found = /^#L(\d{1,7})(?:-L(\d{1,7}))?$/.exec(hash);
  if (!found) return [0, 0];
  const first = Number(found[1]);
  return [first, Math.max(first, Number(found[2] ?? first))];
}
