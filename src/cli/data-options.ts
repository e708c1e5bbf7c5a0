/** For commands that work on a data folder of this host. */
export interface DataOptions {
  readonly data?: string;
}

/** The flag as `readConfig` takes it. */
export function dataFlags({ data }: DataOptions): { readonly dataFolder?: string } {
  return data === undefined ? {} : { dataFolder: data };
}
