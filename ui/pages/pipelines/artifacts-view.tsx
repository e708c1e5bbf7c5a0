import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ArtifactView } from '../../../src/api/artifacts.ts';
import type { PipelineDetail } from '../../../src/api/pipelines.ts';
import type { ProjectName } from '../../addresses.ts';
import { ask, call, refresh } from '../../api.ts';
import { formatBytes, useMessages } from '../../language.ts';
import { usePolling } from '../../live/live.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { isFinal } from '../../parts/status.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast } from '../../parts/toast.tsx';
import { isAtLeast } from '../../session.ts';

/** What the steps of a pipeline left, to be downloaded. */
export function ArtifactsView({ name, pipeline }: { name: ProjectName; pipeline: PipelineDetail }) {
  const t = useMessages();
  const params = { ...name, number: pipeline.number };
  const artifacts = useQuery({
    ...ask('listArtifacts', { params }),
    refetchInterval: usePolling(!isFinal(pipeline.status)),
  });
  const project = useQuery(ask('getProject', { params: name }));
  const mayDelete = isAtLeast(project.data?.role, 'write') && project.data?.isArchived === false;
  const [deleting, setDeleting] = useState<ArtifactView>();
  return (
    <>
      <Answer query={artifacts}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title={t.noArtifacts}>
              <p>{t.artifactsHint}</p>
            </EmptyState>
          ) : (
            <ul className="entries">
              {items.map((artifact) => (
                <ArtifactEntry
                  key={artifact.name}
                  href={addressOf(name, pipeline.number, artifact)}
                  artifact={artifact}
                  onDelete={mayDelete ? () => setDeleting(artifact) : undefined}
                />
              ))}
            </ul>
          )
        }
      </Answer>
      {deleting && (
        <FormDialog
          title={t.deleteArtifact({ name: deleting.name })}
          description={t.deleteArtifactHint}
          action={t.remove}
          isDangerous
          onClose={() => setDeleting(undefined)}
          onSubmit={async () => {
            await call('deleteArtifact', { params: { ...params, artifact: deleting.name } });
            toast(t.artifactDeleted({ name: deleting.name }));
            await refresh('listArtifacts');
          }}
        />
      )}
    </>
  );
}

interface EntryProps {
  readonly href: string;
  readonly artifact: ArtifactView;
  readonly onDelete: (() => void) | undefined;
}

function ArtifactEntry({ href, artifact, onDelete }: EntryProps) {
  const t = useMessages();
  const { name, workflow, step, sizeBytes, entries, digest, createdAt, expiresAt, isKept } = artifact;
  return (
    <li className="entry tall">
      <div className="grow">
        <b className="mono">
          <bdi>{name}</bdi>
        </b>{' '}
        {isKept && <span className="tag">{t.artifactKept}</span>}
        <span className="block">
          {formatBytes(sizeBytes)} · {t.artifactEntries({ count: entries })}
        </span>
        <small className="quiet block">
          <bdi>
            {workflow}/{step}
          </bdi>{' '}
          · <Ago at={createdAt} /> · {t.artifactExpires} <Ago at={expiresAt} />
        </small>
        <small className="quiet block mono wrap">{digest}</small>
      </div>
      <a className="button small" href={href} download>
        {t.downloadArtifact}
        <span className="hidden-text"> {name}</span>
      </a>
      {onDelete && (
        <button type="button" className="button small" onClick={onDelete}>
          {t.remove}
          <span className="hidden-text"> {name}</span>
        </button>
      )}
    </li>
  );
}

function addressOf({ owner, project }: ProjectName, number: number, { name }: ArtifactView): string {
  const [o, p, n] = [owner, project, name].map(encodeURIComponent);
  return `/api/v1/projects/${o}/${p}/pipelines/${number}/artifacts/${n}/file`;
}
