import { useQuery } from '@tanstack/react-query';
import { commitsAddress, filesAddress } from '../../addresses.ts';
import { ask } from '../../api.ts';
import { useLanguage, useMessages } from '../../language.ts';
import { usePolling, useTopic } from '../../live/live.ts';
import { usePageTitle } from '../../page-state.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { CommitLink } from '../../parts/commit-link.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Link } from '../../router.tsx';
import { CodeHeader } from './project-header.tsx';

export function RefsPage({ owner, project }: { owner: string; project: string }) {
  const t = useMessages();
  const language = useLanguage();
  const name = { owner, project };
  const found = useQuery(ask('getProject', { params: name }));
  const refs = useQuery({ ...ask('listRefs', { params: name }), refetchInterval: usePolling(true) });
  usePageTitle(`${t.branchesAndTags} · ${owner}/${project}`);
  useTopic(`project:${owner}/${project}`);
  const order = new Intl.Collator(language, { numeric: true });
  return (
    <div className="page">
      <CodeHeader
        owner={owner}
        project={project}
        current="refs"
        title={t.branchesAndTags}
        crumbs={[{ label: t.branchesAndTags }]}
      />
      <Answer query={refs}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title={t.noRefs}>
              <p>{t.emptyRepositoryHint}</p>
            </EmptyState>
          ) : (
            (['branch', 'tag'] as const).map((kind) => {
              const some = items.filter((ref) => ref.kind === kind);
              if (some.length === 0) return null;
              some.sort((a, b) => (kind === 'tag' ? order.compare(b.name, a.name) : order.compare(a.name, b.name)));
              return (
                <section key={kind} className="box flush">
                  <h2 className="box-head">{kind === 'branch' ? t.branches : t.tags}</h2>
                  <ul className="entries">
                    {some.map((ref) => (
                      <li key={ref.ref} className="entry">
                        <Icon name={kind} />
                        <Link to={filesAddress(name, ref.name, '')} className="mono">
                          <bdi>{ref.name}</bdi>
                        </Link>
                        {ref.name === found.data?.defaultBranch && kind === 'branch' && (
                          <span className="tag">{t.defaultMark}</span>
                        )}
                        <span className="spacer" />
                        <CommitLink name={name} commit={ref.commit} />
                        <Link to={commitsAddress(name, ref.name)} className="link">
                          {t.history}
                        </Link>
                      </li>
                    ))}
                  </ul>
                </section>
              );
            })
          )
        }
      </Answer>
    </div>
  );
}
