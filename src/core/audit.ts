/** One line of the record of who changed rights, secrets or settings. Chained by hash, never changed. */
export interface AuditEntry {
  readonly sequence: number;
  readonly at: Date;
  /** Who: a person's name, or `system`. */
  readonly actor: string;
  /** What, in the words of `core/permission.ts` or a verb: `token:create`, `secret:write`, `sign-in:refused`. */
  readonly action: string;
  /** On what: `shop/storefront`, `person:mei`. */
  readonly subject: string;
  readonly remoteAddress: string;
  readonly requestId: string;
  /** Old and new values; a secret's value is never among them. */
  readonly details: Readonly<Record<string, unknown>>;
  /** The project that it is about: names change, and are given anew. */
  readonly projectId?: number | undefined;
  readonly previousHash: string;
  /** SHA-256 over the previous hash and this record's canonical JSON. */
  readonly hash: string;
}

export type NewAuditEntry = Omit<AuditEntry, 'sequence' | 'previousHash' | 'hash'>;

/** Which entries are asked for; what is absent does not matter. */
export interface AuditFilter {
  readonly actor?: string | undefined;
  /** An action, or what actions begin with: `secret` finds `secret:create` and `secret:write:refused`. */
  readonly action?: string | undefined;
  /** Only what was refused. */
  readonly isRefused?: true | undefined;
  readonly projectId?: number | undefined;
  /** On exactly this, or on something of it (`shop/web` finds `shop/web:…`): for records of what has no id. */
  readonly subject?: string | undefined;
  /** At or after this instant. */
  readonly from?: Date | undefined;
  /** Before this instant. */
  readonly to?: Date | undefined;
}

/** A record up to which the chain was followed. */
export interface ChainMark {
  readonly sequence: number;
  readonly hash: string;
}

export interface AuditStore {
  append(entry: NewAuditEntry): Promise<void>;
  /** Newest first. `before` is the sequence number after which the page goes on. */
  list(
    page: { readonly limit: number; readonly before?: number | undefined } & AuditFilter,
  ): Promise<readonly AuditEntry[]>;
  /** The first sequence number whose hash does not follow from the one before; `undefined` = unbroken. */
  verify(): Promise<number | undefined>;
  /**
   * As `verify`, after a record that was followed before (its own hash must still be there), and for at most `limit`
   * records. `last` is how far the chain is whole. Lets others have their turn in between.
   */
  follow(
    after: ChainMark | undefined,
    limit?: number,
  ): Promise<{ readonly brokenAt: number | undefined; readonly last: ChainMark }>;
}
