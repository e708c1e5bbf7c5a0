import { useQuery } from '@tanstack/react-query';
import { projectAddress, settingsAddress } from '../../addresses.ts';
import { ask } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { useTopic } from '../../live/live.ts';
import { usePageTitle } from '../../page-state.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { Breadcrumb } from '../../parts/breadcrumb.tsx';
import { Link } from '../../router.tsx';
import { isAtLeast } from '../../session.ts';
import { AuditSettings } from './audit-settings.tsx';
import { CacheSettings } from './cache-settings.tsx';
import { CronSettings } from './cron-settings.tsx';
import { FileSecretSettings } from './file-secret-settings.tsx';
import { GeneralSettings } from './general-settings.tsx';
import { GitLoginSettings } from './git-login-settings.tsx';
import { IncomingWebhookSettings } from './incoming-webhook-settings.tsx';
import { MemberSettings } from './member-settings.tsx';
import { PipelineSettings } from './pipeline-settings.tsx';
import { RegistrySettings } from './registry-settings.tsx';
import { SecretSettings } from './secret-settings.tsx';
import { VariableSettings } from './variable-settings.tsx';
import { WebhookSettings } from './webhook-settings.tsx';

const tabs = [
  'general',
  'pipelines',
  'members',
  'secrets',
  'variables',
  'crons',
  'caches',
  'webhooks',
  'audit',
] as const;
const neededRole = {
  general: 'admin',
  pipelines: 'admin',
  members: 'read',
  secrets: 'maintain',
  variables: 'write',
  crons: 'read',
  caches: 'read',
  webhooks: 'maintain',
  audit: 'admin',
} as const;

export function SettingsPage({ owner, project, tab }: { owner: string; project: string; tab: string }) {
  const t = useMessages();
  const name = { owner, project };
  const current = tabs.find((one) => one === tab) ?? 'general';
  const found = useQuery(ask('getProject', { params: name }));
  usePageTitle(`${t.settings} · ${owner}/${project}`);
  useTopic(`project:${owner}/${project}`);
  return (
    <div className="page narrow">
      <Breadcrumb
        crumbs={[
          { label: owner, to: `/${encodeURIComponent(owner)}` },
          { label: project, to: projectAddress(name) },
          { label: t.settings },
        ]}
      />
      <div className="page-head">
        <h1>{t.settings}</h1>
      </div>
      <nav className="tabs" aria-label={t.settings}>
        {tabs.map((one) => (
          <Link key={one} to={settingsAddress(name, one)} aria-current={one === current ? 'page' : undefined}>
            {t.settingsTab[one]}
          </Link>
        ))}
      </nav>
      <Answer query={found}>
        {({ role, isArchived }) => {
          const needed = neededRole[current];
          if (!isAtLeast(role, needed) && !['members', 'crons', 'caches'].includes(current))
            return (
              <EmptyState title={t.needsRole({ role: t.role[needed] })}>
                <p>
                  {t.needsRoleHint} <Link to={settingsAddress(name, 'members')}>{t.seeMembers}</Link>
                </p>
              </EmptyState>
            );
          if (current === 'members') return <MemberSettings name={name} mayManage={isAtLeast(role, 'admin')} />;
          if (current === 'pipelines') return <PipelineSettings name={name} />;
          if (current === 'secrets')
            return (
              <>
                <SecretSettings holder={name} />
                <FileSecretSettings name={name} mayImport={isAtLeast(role, 'admin')} />
                <RegistrySettings holder={name} />
                <GitLoginSettings holder={name} />
              </>
            );
          if (current === 'variables')
            return <VariableSettings holder={name} mayChange={isAtLeast(role, 'maintain') && !isArchived} />;
          if (current === 'crons')
            return (
              <CronSettings
                name={name}
                mayChange={isAtLeast(role, 'maintain') && !isArchived}
                mayRun={isAtLeast(role, 'write') && !isArchived}
              />
            );
          if (current === 'caches')
            return <CacheSettings name={name} mayDelete={isAtLeast(role, 'write') && !isArchived} />;
          if (current === 'webhooks')
            return (
              <>
                <WebhookSettings holder={name} />
                <IncomingWebhookSettings name={name} />
              </>
            );
          if (current === 'audit') return <AuditSettings name={name} />;
          return <GeneralSettings name={name} />;
        }}
      </Answer>
    </div>
  );
}
