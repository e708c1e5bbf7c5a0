/** A link with which a person chooses a password without having one: the first of a new account, or in place of a lost one. */
export interface PasswordLink {
  readonly personId: number;
  /** SHA-256 of the key in the link. */
  readonly sha256: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export interface PasswordLinkStore {
  findByHash(sha256: string): Promise<PasswordLink | undefined>;
  /** In place of the one that the person had, if any. */
  set(link: PasswordLink): Promise<void>;
  /** Used, or no longer wanted. */
  removeOf(personId: number): Promise<void>;
  /** Forgets up to `limit` that have run out. Answers how many. */
  prune(at: Date, limit: number): Promise<number>;
}

export const passwordLinkLifeMs = 3 * 24 * 3_600_000;
