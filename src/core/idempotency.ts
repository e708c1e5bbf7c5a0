/** What was answered to a request that carried an Idempotency-Key, kept 24 h. */
export interface IdempotencyStore {
  /**
   * Claims the key for this request. `new`: go on · `same`: give this answer again · `in-flight`: the first is still at it ·
   * `different`: the key was used for another request.
   */
  claim(
    key: { readonly personId: number; readonly operation: string; readonly key: string },
    requestHash: string,
    at: Date,
  ): Promise<
    | { readonly state: 'new' }
    | { readonly state: 'in-flight' | 'different' }
    | { readonly state: 'same'; readonly status: number; readonly body: string }
  >;
  settle(
    key: { readonly personId: number; readonly operation: string; readonly key: string },
    status: number,
    body: string,
  ): Promise<void>;
  /** The request failed before it did anything: the key may be used again. */
  release(key: { readonly personId: number; readonly operation: string; readonly key: string }): Promise<void>;
  /** Claims left by a server that died are released, old answers forgotten. */
  prune(before: Date): Promise<void>;
}

/** Small values of the whole instance: its id, the hash of the set-up link, the schema's birth. */
export interface SettingStore {
  get(name: string): Promise<string | undefined>;
  set(name: string, value: string | undefined): Promise<void>;
}
