/** A page of a list in a stable order. `after` is the cursor of the page before; `next` is null at the end. */
export interface PageRequest {
  readonly limit: number;
  readonly after?: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}
