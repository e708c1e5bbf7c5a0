import type { ProjectView } from '../../../src/api/projects.ts';
import { pipelinesAddress } from '../../addresses.ts';
import { useLanguage, useMessages } from '../../language.ts';
import { CommandLine } from '../../parts/copy.tsx';

/** The state of the default branch as a picture, and the Markdown that shows it elsewhere. */
export function BadgeBox({ data }: { data: ProjectView }) {
  const t = useMessages();
  const language = useLanguage();
  const branch = data.defaultBranch;
  const path = `/api/v1/projects/${encodeURIComponent(data.owner)}/${encodeURIComponent(data.name)}/badge.svg`;
  const query = `branch=${encodeURIComponent(branch)}`;
  const page = `${location.origin}${pipelinesAddress({ owner: data.owner, project: data.name })}?${query}`;
  return (
    <section className="box">
      <h2>{t.badge}</h2>
      <p>
        <img
          src={`${path}?${query}${language === 'zh' ? '&lang=zh' : ''}`}
          alt={t.badgeAlt({ branch })}
          height={20}
          key={data.latestPipeline?.status}
        />
      </p>
      <CommandLine command={`[![pipeline](${location.origin}${path}?${query})](${page})`} />
      <small className="quiet">{t.badgeHint}</small>
    </section>
  );
}
