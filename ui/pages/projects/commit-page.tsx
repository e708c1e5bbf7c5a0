import { useQuery } from '@tanstack/react-query';
import { commitsAddress, filesAddress } from '../../addresses.ts';
import { ask } from '../../api.ts';
import { formatClock, useMessages } from '../../language.ts';
import { usePageTitle } from '../../page-state.ts';
import { Answer } from '../../parts/answers.tsx';
import { CommitLink, shortId } from '../../parts/commit-link.tsx';
import { CopyButton } from '../../parts/copy.tsx';
import { Link } from '../../router.tsx';
import { CodeHeader } from './project-header.tsx';

export function CommitPage({ owner, project, commit }: { owner: string; project: string; commit: string }) {
  const t = useMessages();
  const name = { owner, project };
  const found = useQuery(ask('getCommit', { params: { ...name, commit } }));
  usePageTitle(`${found.data?.subject ?? shortId(commit)} · ${owner}/${project}`);
  return (
    <div className="page">
      <CodeHeader
        owner={owner}
        project={project}
        current="commits"
        title={<bdi>{found.data?.subject ?? shortId(commit)}</bdi>}
        crumbs={[{ label: t.commits, to: commitsAddress(name) }, { label: shortId(commit) }]}
      />
      <Answer query={found}>
        {(data) => (
          <section className="box">
            <dl className="facts">
              <dt>{t.commit}</dt>
              <dd>
                <code className="wrap">{data.id}</code> <CopyButton text={data.id} label={t.copy} />
              </dd>
              <dt>{t.author}</dt>
              <dd>
                <bdi>{data.authorName}</bdi> <span className="quiet">{`<${data.authorEmail}>`}</span>
              </dd>
              <dt>{t.when}</dt>
              <dd className="number">{formatClock(new Date(data.authoredAt))}</dd>
              <dt>{t.parents({ count: data.parents.length })}</dt>
              <dd>
                {data.parents.length === 0
                  ? t.firstCommit
                  : data.parents.map((parent) => (
                      <span key={parent}>
                        <CommitLink name={name} commit={parent} />{' '}
                      </span>
                    ))}
              </dd>
            </dl>
            <pre className="commit-message" tabIndex={0}>
              {data.message}
            </pre>
            <div className="row">
              <Link to={filesAddress(name, data.id, '')} className="button">
                {t.browseFilesHere}
              </Link>
            </div>
          </section>
        )}
      </Answer>
    </div>
  );
}
