import type { Holder } from './holder.ts';
import type { SealedSecret } from './secret-record.ts';

/** Name and password for a host that checkouts fetch submodules and other repositories from. The password is sealed like a secret. */
export interface GitLogin {
  readonly id: number;
  readonly holder: Holder;
  /** Host, with its port where that is not the one of HTTPS. Lower case. */
  readonly host: string;
  readonly username: string;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

export type StoredGitLogin = GitLogin & { readonly sealed: SealedSecret };

/** A login as a fetch needs it. */
export interface GitCredentials {
  readonly host: string;
  readonly username: string;
  readonly password: string;
}

/** What checkouts may ask of logins; the feature that keeps them implements it. */
export interface GitLoginVault {
  /** Those that count for a project. Throws SECRET_KEY_WRONG when the key file does not fit. */
  gitLogins(projectId: number): Promise<readonly GitCredentials[]>;
}

export interface GitLoginStore {
  list(holder: Holder): Promise<readonly GitLogin[]>;
  /** All that count for a project: its own, and those of its organisation for hosts that are left. */
  listFor(projectId: number): Promise<readonly StoredGitLogin[]>;
  /** A row's id enters what is sealed, so it is drawn before the password is. */
  reserve(holder: Holder, host: string, at: Date, by: string): Promise<GitLogin>;
  setSealed(id: number, username: string, sealed: SealedSecret, at: Date, by: string): Promise<void>;
  remove(holder: Holder, host: string): Promise<boolean>;
}

/**
 * The login for a URL. Without a port it is one for HTTPS alone: a password goes over a line that others can read only
 * where somebody has named that very port.
 */
export function findGitLogin(logins: readonly GitCredentials[], url: URL): GitCredentials | undefined {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const wanted = [`${url.hostname}:${port}`, ...(url.protocol === 'https:' && port === '443' ? [url.hostname] : [])];
  return logins.find(({ host }) => wanted.includes(host));
}
