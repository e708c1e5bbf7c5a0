import type { Holder } from './holder.ts';
import type { PullRequestOrigin } from './pull-request-origin.ts';
import type { SealedSecret } from './secret-record.ts';

/** Name and password for a registry that images are pulled from. The password is sealed like a secret. */
export interface RegistryLogin {
  readonly id: number;
  readonly holder: Holder;
  /** Host, optionally with a port and a path; the longest match wins. Lower case. */
  readonly registry: string;
  readonly username: string;
  /** Pull requests whose images are pulled with it. */
  readonly pullRequests: PullRequestOrigin;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

export type StoredRegistryLogin = RegistryLogin & { readonly sealed: SealedSecret };

export interface RegistryLoginStore {
  list(holder: Holder): Promise<readonly RegistryLogin[]>;
  /** All that count for a project: its own, and those of its organisation for registries that are left. */
  listFor(projectId: number): Promise<readonly StoredRegistryLogin[]>;
  /** A row's id enters what is sealed, so it is drawn before the password is. */
  reserve(holder: Holder, registry: string, at: Date, by: string): Promise<RegistryLogin>;
  setSealed(
    id: number,
    login: Pick<RegistryLogin, 'username' | 'pullRequests'>,
    sealed: SealedSecret,
    at: Date,
    by: string,
  ): Promise<void>;
  remove(holder: Holder, registry: string): Promise<boolean>;
}
