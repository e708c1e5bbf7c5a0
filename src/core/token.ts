import type { Scope } from './permission.ts';

/** A credential that a program uses. The secret itself is shown once and never stored: only its SHA-256. */
export interface Token {
  readonly id: string;
  readonly personId: number;
  readonly name: string;
  /** The first characters, so that its owner can tell which one it is. */
  readonly prefix: string;
  readonly scopes: readonly Scope[];
  /** Ids of the projects it is limited to, whatever they are called now. Absent = all; none left = it matches nothing. */
  readonly projectIds?: readonly number[] | undefined;
  readonly createdAt: Date;
  readonly expiresAt?: Date | undefined;
  readonly lastUsedAt?: Date | undefined;
}

export interface TokenStore {
  find(id: string): Promise<Token | undefined>;
  findByHash(sha256: string): Promise<Token | undefined>;
  list(personId: number): Promise<readonly Token[]>;
  create(token: Token & { readonly sha256: string }): Promise<void>;
  remove(id: string): Promise<void>;
  markUsed(id: string, at: Date): Promise<void>;
}

/** A browser's sign-in: an opaque cookie of which only the SHA-256 is kept. */
export interface Session {
  readonly id: string;
  readonly personId: number;
  readonly createdAt: Date;
  readonly lastUsedAt: Date;
  readonly expiresAt: Date;
  readonly userAgent: string;
  readonly remoteAddress: string;
}

export interface SessionStore {
  find(id: string): Promise<Session | undefined>;
  findByHash(sha256: string): Promise<Session | undefined>;
  list(personId: number): Promise<readonly Session[]>;
  create(session: Session & { readonly sha256: string }): Promise<void>;
  markUsed(id: string, at: Date): Promise<void>;
  remove(id: string): Promise<void>;
  /** Ends all sessions of a person but one: after a change of the password. */
  removeOthers(personId: number, keepId: string | undefined): Promise<void>;
  /** Forgets up to `limit` sessions that had ended at that instant: by their age, or since nobody used them. Answers how many. */
  prune(at: Date, limit: number): Promise<number>;
}
