import type { Connection } from '../connection.ts';

/** One step of the schema, forward only. It runs in a transaction of its own, so a kill leaves before or after. */
export interface Migration {
  /** Counts from 1, without gaps. */
  readonly version: number;
  readonly name: string;
  up(connection: Connection): Promise<void>;
}
