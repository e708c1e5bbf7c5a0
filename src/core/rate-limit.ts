/** A token bucket that is kept in the database, so that a restart does not fill it again. */
export interface RateLimitStore {
  /**
   * Takes `cost` from the bucket `key` of `capacity` units that refills by `perSecond`.
   * Answers how long to wait when it holds too little, in which case nothing is taken.
   */
  take(
    key: string,
    cost: number,
    bucket: { readonly capacity: number; readonly perSecond: number },
    at: Date,
  ): Promise<{ readonly allowed: boolean; readonly retryAfterMs: number }>;
  /** Forgets up to `limit` buckets that are full again, and so say nothing. Answers how many. */
  prune(at: Date, limit: number): Promise<number>;
}
