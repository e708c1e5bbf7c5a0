import type { Connection } from '../connection.ts';
import type { Migration } from './migration.ts';

/** Events whose pipelines are to run steps that earlier results could stand for. */
export const stepReuse: Migration = {
  version: 11,
  name: 'step reuse',
  async up(connection: Connection): Promise<void> {
    const integer = connection.dialect === 'sqlite' ? 'integer' : 'bigint';
    await connection.script(`alter table "event" add column "ignores_reuse" ${integer};`);
  },
};
