import type { PasswordLinkStore } from '../core/password-link.ts';
import type { Connection } from './connection.ts';

/** One-time links in the database: at most one of each person. */
export function createPasswordLinkStore({ db }: Connection): PasswordLinkStore {
  return {
    async findByHash(sha256) {
      const row = await db.selectFrom('password_link').selectAll().where('sha256', '=', sha256).executeTakeFirst();
      return (
        row && {
          personId: row.person_id,
          sha256: row.sha256,
          createdAt: new Date(row.created_at),
          expiresAt: new Date(row.expires_at),
        }
      );
    },
    async set({ personId, sha256, createdAt, expiresAt }) {
      const link = { sha256, created_at: createdAt, expires_at: expiresAt };
      await db
        .insertInto('password_link')
        .values({ person_id: personId, ...link })
        .onConflict((conflict) => conflict.column('person_id').doUpdateSet(link))
        .execute();
    },
    async removeOf(personId) {
      await db.deleteFrom('password_link').where('person_id', '=', personId).execute();
    },
    async prune(at, limit) {
      const removed = await db
        .deleteFrom('password_link')
        .where('person_id', 'in', (ended) =>
          ended.selectFrom('password_link').select('person_id').where('expires_at', '<=', at.getTime()).limit(limit),
        )
        .executeTakeFirst();
      return Number(removed.numDeletedRows);
    },
  };
}
