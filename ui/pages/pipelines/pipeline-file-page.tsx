import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import type { FindingView, PipelinePreview } from '../../../src/api/inspection.ts';
import { previewEvents } from '../../../src/api/preview-events.ts';
import { type ProjectName, pipelineFileAddress, pipelinesAddress, projectAddress } from '../../addresses.ts';
import { ask, call } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { useLeaveGuard } from '../../leave-guard.ts';
import { usePageTitle } from '../../page-state.ts';
import { Answer, FormError, Skeleton } from '../../parts/answers.tsx';
import { Breadcrumb } from '../../parts/breadcrumb.tsx';
import { CopyButton } from '../../parts/copy.tsx';
import { SelectField, TextArea, TextField } from '../../parts/field.tsx';
import { Icon } from '../../parts/icons.tsx';
import { toast } from '../../parts/toast.tsx';
import { go, useSearch } from '../../router.tsx';
import { isAtLeast } from '../../session.ts';
import { CommitDialog } from './commit-dialog.tsx';
import { IncludedPlace } from './included-place.tsx';
import { goToLine, PipelineEditor } from './pipeline-editor.tsx';
import { PreviewView } from './preview-view.tsx';

interface FileText {
  readonly path: string;
  readonly text: string;
}

const startingFile: FileText = {
  path: '.gantry.yml',
  text: `kind: pipeline
name: default
steps:
  - name: test
    image: base/node:24
    commands:
      - npm ci
      - npm test
`,
};

/** How long nobody types before the text is checked. */
const restMs = 400;

/** The pipeline file of a branch, to be changed: what is wrong with it, what would run at an event, and its commit. */
export function PipelineFilePage({ owner, project }: { owner: string; project: string }) {
  const t = useMessages();
  const name = { owner, project };
  const [search] = useSearch();
  const branch = search.get('branch') ?? undefined;
  const files = useQuery({
    ...ask('listPipelineFiles', { params: name, query: { ref: branch } }),
    // What is typed must not be replaced under one's hands.
    refetchOnWindowFocus: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  usePageTitle(`${t.pipelineFile} · ${owner}/${project}`);
  return (
    <div className="page">
      <Breadcrumb
        crumbs={[
          { label: owner, to: `/${encodeURIComponent(owner)}` },
          { label: project, to: projectAddress(name) },
          { label: t.pipelines, to: pipelinesAddress(name) },
          { label: t.pipelineFile },
        ]}
      />
      <div className="page-head">
        <h1>{t.tryFile}</h1>
      </div>
      <p className="lead">{t.tryFileNote}</p>
      <Answer query={files} skeleton={<Skeleton rows={14} rowHeight={28} />}>
        {({ files: found, ref, commit }) => {
          const committed = found.flatMap(({ path, text, isChosen }) =>
            isChosen && text !== null ? [{ path, text }] : [],
          );
          return (
            <>
              {committed.length === 0 && <p className="notice">{t.noPipelineFile}</p>}
              <Trial key={`${ref} ${commit}`} name={name} branch={ref} commit={commit} committed={committed} />
            </>
          );
        }}
      </Answer>
    </div>
  );
}

interface Imagined {
  readonly event: (typeof previewEvents)[number];
  readonly branch: string;
  readonly target: string;
  readonly paths: string;
}

interface TrialProps {
  readonly name: ProjectName;
  readonly branch: string;
  /** The newest of the branch; null: nothing was pushed yet. */
  readonly commit: string | null;
  readonly committed: readonly FileText[];
}

function Trial({ name, branch, commit, committed }: TrialProps) {
  const t = useMessages();
  const project = useQuery(ask('getProject', { params: name }));
  const [initial] = useState(committed.length === 0 ? [startingFile] : committed);
  const [texts, setTexts] = useState<readonly FileText[]>(initial);
  const [path, setPath] = useState(initial[0]?.path ?? '');
  const [imagined, setImagined] = useState<Imagined>({ event: 'push', branch, target: '', paths: '' });
  const [isCommitting, setIsCommitting] = useState(false);
  const differing = (from: readonly FileText[]): readonly FileText[] =>
    texts.filter((one) => from.find(({ path: other }) => other === one.path)?.text !== one.text);
  const changed = differing(committed);
  useLeaveGuard(differing(initial).length > 0, t.leaveUnsaved);
  const mayCommit = isAtLeast(project.data?.role, 'write') && project.data?.isArchived === false;
  const area = useRef<HTMLTextAreaElement>(null);
  const file = texts.find((one) => one.path === path) ?? startingFile;
  const before = initial.find((one) => one.path === path);
  const preview = usePreview(name, texts, imagined);
  const findings = preview.data?.findings.filter((finding) => finding.path === path) ?? [];
  const show = (at: string, line: number): void => {
    if (at !== path) setPath(at);
    // After the field shows the other file.
    requestAnimationFrame(() => area.current && goToLine(area.current, line));
  };
  return (
    <div className="trial">
      <section className="box flush">
        <div className="box-head">
          {texts.length > 1 ? (
            <select
              className="input small"
              aria-label={t.oneFile}
              value={path}
              onChange={(event) => setPath(event.target.value)}
            >
              {texts.map((one) => (
                <option key={one.path}>{one.path}</option>
              ))}
            </select>
          ) : (
            <code>{path}</code>
          )}
          <span className="quiet">{t.onBranch({ branch })}</span>
          {before && before.text !== file.text && (
            <>
              <span className="tag">{t.changedText}</span>
              <button
                type="button"
                className="link"
                onClick={() => setTexts(texts.map((one) => (one.path === path ? before : one)))}
              >
                {t.resetText}
              </button>
            </>
          )}
          <span className="spacer" />
          {mayCommit && changed.length > 0 && (
            <button type="button" className="button small primary" onClick={() => setIsCommitting(true)}>
              {t.commitChange}
            </button>
          )}
          <CopyButton text={file.text} label={t.copy} />
          <button type="button" className="icon-button" aria-label={t.downloadText} onClick={() => download(file)}>
            <Icon name="download" />
          </button>
        </div>
        <PipelineEditor
          path={path}
          text={file.text}
          findings={findings}
          area={area}
          onChange={(text) => setTexts(texts.map((one) => (one.path === path ? { path, text } : one)))}
        />
        <FindingList findings={preview.data?.findings} onShow={show} />
        {isCommitting && (
          <CommitDialog
            name={name}
            branch={branch}
            base={commit}
            files={changed}
            onClose={() => setIsCommitting(false)}
            onCommitted={({ id }, target) => {
              toast(t.committed({ commit: id.slice(0, 7), branch: target }));
              if (target !== branch) go(pipelineFileAddress(name, target), { replace: true });
            }}
          />
        )}
      </section>
      <section className="box flush">
        <div className="box-head">
          <h2>{t.wouldRun}</h2>
        </div>
        <EventForm imagined={imagined} onChange={setImagined} />
        <FormError error={preview.error} />
        {preview.data && <PreviewView preview={preview.data} onShowLine={(line) => show(path, line)} />}
      </section>
    </div>
  );
}

/** What the present texts would come to, once nobody has typed for a moment; until then what they came to before. */
function usePreview(name: ProjectName, texts: readonly FileText[], imagined: Imagined) {
  const [rested, setRested] = useState({ texts, imagined });
  useEffect(() => {
    const timer = setTimeout(() => setRested({ texts, imagined }), restMs);
    return () => clearTimeout(timer);
  }, [texts, imagined]);
  return useQuery<PipelinePreview>({
    queryKey: ['previewPipeline', name, rested],
    queryFn: ({ signal }) => {
      const { event, branch, target, paths } = rested.imagined;
      const changedPaths = paths.split('\n').flatMap((line) => line.trim() || []);
      return call('previewPipeline', {
        params: name,
        body: {
          files: rested.texts.map(({ path, text }) => ({ path, text })),
          event,
          ...(branch.trim() !== '' && { branch: branch.trim() }),
          ...(target.trim() !== '' && { target: target.trim() }),
          ...(changedPaths.length > 0 && { changedPaths }),
          parameters: {},
        },
        signal,
      });
    },
    placeholderData: keepPreviousData,
    gcTime: 0,
  });
}

function EventForm({ imagined, onChange }: { imagined: Imagined; onChange: (next: Imagined) => void }) {
  const t = useMessages();
  const { event, branch, target, paths } = imagined;
  const set = (change: Partial<Imagined>): void => onChange({ ...imagined, ...change });
  return (
    <form className="trial-event" onSubmit={(submit) => submit.preventDefault()}>
      <SelectField
        label={t.event}
        value={event}
        onChange={(change) => set({ event: previewEvents.find((one) => one === change.target.value) ?? 'push' })}
      >
        {previewEvents.map((one) => (
          <option key={one} value={one}>
            {t.previewEvent[one]}
          </option>
        ))}
      </SelectField>
      <TextField
        label={event === 'tag' ? t.tagName : t.branchName}
        value={branch}
        maxLength={300}
        onChange={(change) => set({ branch: change.target.value })}
      />
      {(event === 'promote' || event === 'rollback') && (
        <TextField
          label={t.target}
          value={target}
          maxLength={100}
          onChange={(change) => set({ target: change.target.value })}
        />
      )}
      {(event === 'push' || event === 'pull_request') && (
        <TextArea
          label={t.changedPaths}
          hint={t.changedPathsHint}
          rows={2}
          value={paths}
          onChange={(change) => set({ paths: change.target.value })}
        />
      )}
    </form>
  );
}

interface FindingListProps {
  readonly findings: readonly FindingView[] | undefined;
  readonly onShow: (path: string, line: number) => void;
}

function FindingList({ findings, onShow }: FindingListProps) {
  const t = useMessages();
  const errors = findings?.filter(({ severity }) => severity === 'error').length ?? 0;
  return (
    <div className="findings">
      <p className="findings-head" role="status">
        {findings === undefined
          ? t.loading
          : findings.length === 0
            ? t.noFindings
            : t.findingsCount({ errors, warnings: findings.length - errors })}
      </p>
      {findings !== undefined && findings.length > 0 && (
        <ul>
          {findings.map((finding, i) => (
            <li key={i} className={finding.severity}>
              <button type="button" className="link" onClick={() => onShow(finding.path, finding.line)}>
                {t.findingLine({ line: finding.line })}
              </button>{' '}
              <bdi>{finding.message}</bdi> <code className="rule">{finding.code}</code>
              {finding.included && <IncludedPlace path={finding.path} place={finding.included} />}
              {finding.hint !== null && (
                <p className="quiet">
                  <bdi>{finding.hint}</bdi>
                </p>
              )}
              {finding.substituted !== null && (
                <p className="quiet">
                  {t.findingReads} <code className="wrap">{finding.substituted.trim()}</code>
                </p>
              )}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function download({ path, text }: FileText): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/yaml' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = path.slice(path.lastIndexOf('/') + 1);
  link.click();
  URL.revokeObjectURL(url);
}
