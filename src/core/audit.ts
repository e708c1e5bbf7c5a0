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
  readonly previousHash: string;
  /** SHA-256 over the previous hash and this record's canonical JSON. */
  readonly hash: string;
}

export type NewAuditEntry = Omit<AuditEntry, 'sequence' | 'previousHash' | 'hash'>;

export interface AuditStore {
  append(entry: NewAuditEntry): Promise<void>;
  list(page: { limit: number; before?: number | undefined }): Promise<readonly AuditEntry[]>;
  /** The first sequence number whose hash does not follow from the one before; `undefined` = unbroken. */
  verify(): Promise<number | undefined>;
}
