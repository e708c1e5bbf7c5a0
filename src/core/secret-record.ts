import type { Holder } from './holder.ts';
import type { PullRequestOrigin } from './pull-request-origin.ts';

/** To which steps a secret is given. Whatever is not allowed here is as good as missing there. */
export interface SecretLimits {
  /** Events for which steps may have it. */
  readonly events: readonly string[];
  /** Which pull requests, where `events` has them; `none` exactly where it has not. */
  readonly pullRequests: PullRequestOrigin;
  /** Globs of branches, or names of tags; none = any. */
  readonly branches: readonly string[];
  /** Globs of image repositories, compared with the name as the file writes it, without tag and digest; none = any. */
  readonly images: readonly string[];
  /** Only for steps without commands of their own: whoever writes the file cannot have them printed. */
  readonly isForPluginsOnly: boolean;
}

/** A secret of a project or an organisation. The value is sealed and never leaves the server but to a step that names it. */
export interface SecretRecord extends SecretLimits {
  readonly id: number;
  readonly holder: Holder;
  /** Lower case; looked up whatever its case. */
  readonly name: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

/** What is stored of a value: AES-256-GCM under a key of its own, which is wrapped by the key of the key file. */
export interface SealedSecret {
  readonly keyId: string;
  readonly wrappedKey: Buffer;
  readonly nonce: Buffer;
  readonly ciphertext: Buffer;
}

export type StoredSecret = SecretRecord & { readonly sealed: SealedSecret };

export interface SecretStore {
  /** Those of one holder, by name. */
  list(holder: Holder): Promise<readonly SecretRecord[]>;
  /** All that count for a project: its own, and those of its organisation under the names that are left. */
  listFor(projectId: number): Promise<readonly StoredSecret[]>;
  find(holder: Holder, name: string): Promise<StoredSecret | undefined>;
  /** A row's id enters what is sealed, so it is drawn before the value is. */
  reserve(holder: Holder, name: string, at: Date, by: string): Promise<SecretRecord>;
  setSealed(id: number, sealed: SealedSecret, limits: SecretLimits, at: Date, by: string): Promise<void>;
  remove(holder: Holder, name: string): Promise<boolean>;
}
