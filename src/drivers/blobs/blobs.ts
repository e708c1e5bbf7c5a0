/**
 * Where bytes are kept under their own digest: SHA-256, in hexadecimal. A blob is there whole or not at all, never
 * changes, and is on disk before a commit resolves.
 */
export interface BlobStorage {
  /** Begins a blob whose digest is known at its end. */
  begin(): Promise<BlobWriter>;
  /** Its size; `undefined` when it is not there. */
  find(digest: string): Promise<{ readonly sizeBytes: number } | undefined>;
  /** At most `limitBytes` from `offset` on; empty behind its end, `undefined` when it is not there. */
  read(digest: string, offset: number, limitBytes: number): Promise<Buffer | undefined>;
  /** Whether it was there. */
  remove(digest: string): Promise<boolean>;
  /** Digests of all blobs that were there at the beginning, in any order, a few hundred at a time. */
  list(): AsyncIterable<readonly string[]>;
  /**
   * Does something while nobody else does anything with this blob under its name: between a commit and the record that
   * names it, nobody may find it unnamed and remove it.
   */
  exclusively<T>(digest: string, work: () => Promise<T>): Promise<T>;
}

export interface BlobWriter {
  /** How much was written. */
  readonly sizeBytes: number;
  /** One after the other. */
  write(bytes: Uint8Array): Promise<void>;
  /** No more bytes come: answers the digest under which it will be kept. Nobody sees it yet. */
  seal(): Promise<string>;
  /** Puts it in its place, durably. After `seal`; there already = the same bytes. */
  commit(): Promise<void>;
  /** Leaves nothing of it behind, unless it was committed. May be called twice. */
  discard(): Promise<void>;
}
