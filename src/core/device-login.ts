import type { Scope } from './permission.ts';

/**
 * A program on some host asks for a token; a person who is signed in approves it in a browser by a short code
 * (RFC 8628). Only the SHA-256 of both codes is kept, and the token is made when the program fetches it.
 */
export interface DeviceLogin {
  /** SHA-256 of the long code that the program alone has. */
  readonly deviceSha256: string;
  /** SHA-256 of the short code that a person compares. */
  readonly userSha256: string;
  /** What the program says of where it runs: shown to the person, and believed by nobody. */
  readonly hostName: string;
  readonly scopes: readonly Scope[];
  /** Life of the token that it would get; `null` = until it is revoked. */
  readonly expiresInDays: number | null;
  readonly remoteAddress: string;
  readonly createdAt: Date;
  /** After this instant its codes mean nothing. */
  readonly expiresAt: Date;
  /** How long the program has to wait between two questions, in milliseconds; grows when it does not. */
  readonly intervalMs: number;
  readonly polledAt?: Date | undefined;
  /** Decided once, by one person. */
  readonly decision?: { readonly personId: number; readonly isApproved: boolean } | undefined;
}

export interface DeviceLoginStore {
  findByDevice(sha256: string): Promise<DeviceLogin | undefined>;
  findByUser(sha256: string): Promise<DeviceLogin | undefined>;
  create(login: DeviceLogin): Promise<void>;
  /** Stores its interval, the last question and the decision. */
  update(login: DeviceLogin): Promise<void>;
  remove(deviceSha256: string): Promise<void>;
  /** How many have not run out at that instant. */
  count(at: Date): Promise<number>;
  /** Forgets up to `limit` that have run out. Answers how many. */
  prune(at: Date, limit: number): Promise<number>;
}

/** How long a person has to find the page, sign in, compare and approve. */
export const deviceLoginLifeMs = 10 * 60_000;
/** How long a program waits between two questions (RFC 8628, 3.2), and how much longer when it was impatient (3.5). */
export const pollIntervalMs = 5_000;
