import { useQuery } from '@tanstack/react-query';
import type { ProjectView } from '../../../src/api/projects.ts';
import { pipelineAddress, pipelinesAddress } from '../../addresses.ts';
import { ask } from '../../api.ts';
import { formatDuration, useMessages } from '../../language.ts';
import { usePolling, useTopic } from '../../live/live.ts';
import { usePageTitle } from '../../page-state.ts';
import { Answer, Skeleton } from '../../parts/answers.tsx';
import { CommandLine, CopyButton } from '../../parts/copy.tsx';
import { isFinal, statusTone } from '../../parts/status.tsx';
import { go, Link, useSearch } from '../../router.tsx';
import { isAtLeast, useMe } from '../../session.ts';
import { BadgeBox } from './badge-box.tsx';
import { Folder } from './folder.tsx';
import { CodeHeader, VisibilityMark } from './project-header.tsx';

export function ProjectPage({ owner, project }: { owner: string; project: string }) {
  const found = useQuery({ ...ask('getProject', { params: { owner, project } }), refetchInterval: usePolling(true) });
  usePageTitle(`${owner}/${project}`);
  useTopic(`project:${owner}/${project}`);
  return (
    <div className="page">
      <Answer query={found} heading="h1" skeleton={<Skeleton rows={8} />}>
        {(data) => <Project owner={owner} project={project} data={data} />}
      </Answer>
    </div>
  );
}

function Project({ owner, project, data }: { owner: string; project: string; data: ProjectView }) {
  const t = useMessages();
  const [search] = useSearch();
  const name = { owner, project };
  return (
    <>
      <CodeHeader
        owner={owner}
        project={project}
        current="files"
        lead={data.description}
        title={
          <>
            <bdi>{data.name}</bdi> <VisibilityMark visibility={data.visibility} />{' '}
            {data.isArchived && <span className="tag">{t.archived}</span>}
          </>
        }
      />
      {data.isEmpty ? (
        <EmptyRepository data={data} />
      ) : (
        <div className="with-aside">
          <div>
            <Folder name={name} at={search.get('at') ?? undefined} defaultBranch={data.defaultBranch} path="" />
          </div>
          <aside>
            <section className="box">
              <h2>{t.clone}</h2>
              <CommandLine command={`git clone ${data.cloneUrl}`} />
              <small className="quiet">{t.cloneHint}</small>
            </section>
            <RecentPipelines data={data} />
            <BadgeBox data={data} />
          </aside>
        </div>
      )}
    </>
  );
}

const barsShown = 30;

/** The last pipelines of the default branch as bars: height is duration, colour and shape are the result. */
function RecentPipelines({ data }: { data: ProjectView }) {
  const t = useMessages();
  const name = { owner: data.owner, project: data.name };
  const recent = useQuery({
    ...ask('listPipelines', { params: name, query: { limit: 3 * barsShown, branch: data.defaultBranch } }),
    refetchInterval: usePolling(true),
  });
  // Those of pull requests are of other branches: this one is where they want to go.
  const ofBranch = recent.data?.items.filter(({ event }) => event !== 'pull_request') ?? [];
  const pipelines = ofBranch.slice(0, barsShown).toReversed();
  const took = (pipeline: (typeof pipelines)[number]): number =>
    pipeline.startedAt !== null && pipeline.finishedAt !== null
      ? Date.parse(pipeline.finishedAt) - Date.parse(pipeline.startedAt)
      : 0;
  const longest = Math.max(1, ...pipelines.map(took));
  const passed = pipelines.filter(({ status }) => status === 'passed').length;
  return (
    <section className="box">
      <h2>
        <Link to={pipelinesAddress(name)}>{t.pipelinesOn({ branch: data.defaultBranch })}</Link>
      </h2>
      {recent.data && pipelines.length === 0 ? (
        <p className="quiet">{t.noPipelineYet}</p>
      ) : (
        <>
          <p className="hidden-text">{t.historySummary({ passed, count: pipelines.length })}</p>
          {/* The list behind the heading is the way for the keyboard: bars are too thin to be targets of their own. */}
          <ul className="history-bars" aria-hidden="true">
            {pipelines.map((pipeline) => (
              <li
                key={pipeline.number}
                title={`#${pipeline.number} ${t.status[pipeline.status]}${isFinal(pipeline.status) ? `, ${formatDuration(took(pipeline))}` : ''}`}
                onClick={() => go(pipelineAddress(name, pipeline.number))}
              >
                <i
                  className={statusTone(pipeline.status)}
                  style={{ height: `${Math.round(20 + (took(pipeline) / longest) * 80)}%` }}
                />
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

const samplePipeline = `kind: pipeline
name: default
steps:
  - name: test
    image: base/node:24
    commands:
      - npm ci
      - npm test
`;

function EmptyRepository({ data }: { data: ProjectView }) {
  const t = useMessages();
  const me = useMe();
  const url = me ? data.cloneUrl.replace(/^(https?:\/\/)/, `$1${encodeURIComponent(me.name)}@`) : data.cloneUrl;
  if (!isAtLeast(data.role, 'write'))
    return (
      <section className="empty-state">
        <h2>{t.emptyRepository}</h2>
        <p>{t.emptyRepositoryRead}</p>
        <CommandLine command={`git clone ${data.cloneUrl}`} />
      </section>
    );
  return (
    <section className="empty-state">
      <h2>{t.emptyRepository}</h2>
      <p>{t.emptyRepositoryHint}</p>
      <ol className="steps">
        <li>
          <b>{t.addPipelineFile}</b>
          <CommandBlock text={samplePipeline} title=".gantry.yml" />
        </li>
        <li>
          <b>{t.pushExisting}</b>
          <CommandLine command={`git remote add gantry ${url}`} />
          <CommandLine command={`git push -u gantry HEAD:${data.defaultBranch}`} />
          <small className="quiet">{t.pushPassword}</small>
        </li>
        <li>
          <b>{t.orStartFresh}</b>
          <CommandLine command={`git clone ${url}`} />
        </li>
      </ol>
    </section>
  );
}

function CommandBlock({ text, title }: { text: string; title: string }) {
  const t = useMessages();
  return (
    <figure className="command-block">
      <figcaption>
        <code>{title}</code>
        <CopyButton text={text} label={t.copy} />
      </figcaption>
      <pre tabIndex={0}>{text}</pre>
    </figure>
  );
}
