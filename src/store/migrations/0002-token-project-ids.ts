import type { Connection } from '../connection.ts';
import type { Migration } from './migration.ts';

/**
 * Tokens that are limited to projects hold the projects' ids, no longer their names: a rename must not take access away,
 * and a new project under an old name must not get it. Each name is turned into the id of the project that has it now.
 * A name that no project has matches nothing from now on, as it matched nothing before: a token of which no name is left
 * keeps an empty list, and reaches no project at all.
 */
export const tokenProjectIds: Migration = {
  version: 2,
  name: 'token-project-ids',
  async up(connection: Connection): Promise<void> {
    await connection.script('alter table "token" add column "project_ids" text');
    const { rows: projects } = await connection.execute(
      'select "project"."id" as "id", "owner"."name_key" as "owner", "project"."name_key" as "name" ' +
        'from "project" join "owner" on "owner"."id" = "project"."owner_id"',
      [],
    );
    const idOf = new Map(projects.map(({ id, owner, name }) => [`${String(owner)}/${String(name)}`, Number(id)]));
    const { rows: tokens } = await connection.execute(
      'select "id", "projects" from "token" where "projects" is not null',
      [],
    );
    for (const { id, projects: slugs } of tokens) {
      const ids = new Set(
        (JSON.parse(String(slugs)) as string[]).flatMap((slug) => idOf.get(slug.toLowerCase()) ?? []),
      );
      const placeholders = connection.dialect === 'sqlite' ? ['?', '?'] : ['$1', '$2'];
      await connection.execute(
        `update "token" set "project_ids" = ${placeholders[0]} where "id" = ${placeholders[1]}`,
        [JSON.stringify([...ids]), id],
      );
    }
    await connection.script('alter table "token" drop column "projects"');
  },
};
