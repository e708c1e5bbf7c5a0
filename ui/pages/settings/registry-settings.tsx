import { useMessages } from '../../language.ts';
import { type HolderName, holderOption, listRegistries, removeRegistry, setRegistry } from './holder.ts';
import { LoginSettings } from './login-settings.tsx';
import { originOf, PullRequestOriginField } from './pull-request-origin-field.tsx';

/** Logins with which images are pulled. */
export function RegistrySettings({ holder }: { holder: HolderName }) {
  const t = useMessages();
  return (
    <LoginSettings
      holder={holder}
      list="registries"
      words={{
        title: t.registries,
        add: t.addRegistry,
        none: t.noRegistries,
        hint: t.registriesHint,
        note: t.registriesNote,
        host: t.registryHost,
        hostHint: t.registryHostHint,
        removeHint: t.removeRegistryHint,
        changeTitle: t.changeRegistry,
        removeTitle: t.removeRegistry,
        saved: t.registrySaved,
        removed: t.registryRemoved,
      }}
      command={`gantry registry set HOST --username NAME ${holderOption(holder)}`}
      hostOf={({ registry }) => registry}
      ask={listRegistries}
      save={(of, registry, login, form) => setRegistry(of, registry, { ...login, pullRequests: originOf(form) })}
      remove={removeRegistry}
      chip={({ pullRequests }) => (pullRequests === 'none' ? undefined : t.pullRequestsOf[pullRequests])}
      fields={(login) => <PullRequestOriginField value={login?.pullRequests ?? 'project'} />}
    />
  );
}
