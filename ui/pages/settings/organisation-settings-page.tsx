import { organisationSettingsAddress } from '../../addresses.ts';
import { useMessages } from '../../language.ts';
import { usePageTitle } from '../../page-state.ts';
import { Breadcrumb } from '../../parts/breadcrumb.tsx';
import { Link } from '../../router.tsx';
import { GitLoginSettings } from './git-login-settings.tsx';
import { RegistrySettings } from './registry-settings.tsx';
import { SecretSettings } from './secret-settings.tsx';
import { VariableSettings } from './variable-settings.tsx';
import { WebhookSettings } from './webhook-settings.tsx';

const tabs = ['secrets', 'variables', 'webhooks'] as const;

/** What all projects of an organisation have. Whether one may see it is the server's to say. */
export function OrganisationSettingsPage({ owner, tab }: { owner: string; tab: string }) {
  const t = useMessages();
  const current = tabs.find((one) => one === tab) ?? 'secrets';
  usePageTitle(t.organisationSettings({ name: owner }));
  return (
    <div className="page narrow">
      <Breadcrumb crumbs={[{ label: owner, to: `/${encodeURIComponent(owner)}` }, { label: t.settings }]} />
      <div className="page-head">
        <h1>{t.organisationSettings({ name: owner })}</h1>
      </div>
      <nav className="tabs" aria-label={t.settings}>
        {tabs.map((one) => (
          <Link
            key={one}
            to={organisationSettingsAddress(owner, one)}
            aria-current={one === current ? 'page' : undefined}
          >
            {t.settingsTab[one]}
          </Link>
        ))}
      </nav>
      {current === 'variables' ? (
        <VariableSettings holder={{ owner }} mayChange />
      ) : current === 'webhooks' ? (
        <WebhookSettings holder={{ owner }} />
      ) : (
        <>
          <SecretSettings holder={{ owner }} />
          <RegistrySettings holder={{ owner }} />
          <GitLoginSettings holder={{ owner }} />
        </>
      )}
    </div>
  );
}
