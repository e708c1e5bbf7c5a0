import { useMessages } from '../../language.ts';
import { type HolderName, holderOption, listGitLogins, removeGitLogin, setGitLogin } from './holder.ts';
import { LoginSettings } from './login-settings.tsx';

/** Logins with which checkouts fetch from other hosts. */
export function GitLoginSettings({ holder }: { holder: HolderName }) {
  const t = useMessages();
  return (
    <LoginSettings
      holder={holder}
      list="gitLogins"
      words={{
        title: t.gitLogins,
        add: t.addGitLogin,
        none: t.noGitLogins,
        hint: t.gitLoginsHint,
        note: t.gitLoginsNote,
        host: t.gitHost,
        hostHint: t.gitHostHint,
        removeHint: t.removeGitLoginHint,
        changeTitle: t.changeGitLogin,
        removeTitle: t.removeGitLogin,
        saved: t.gitLoginSaved,
        removed: t.gitLoginRemoved,
      }}
      command={`gantry git-login set HOST --username NAME ${holderOption(holder)}`}
      hostOf={({ host }) => host}
      ask={listGitLogins}
      save={setGitLogin}
      remove={removeGitLogin}
    />
  );
}
