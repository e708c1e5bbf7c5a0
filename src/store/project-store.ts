import { sql } from 'kysely';
import { GantryError } from '../core/errors.ts';
import { isAtLeast, type Role } from '../core/permission.ts';
import { defaultPipelineSettings, type PipelineSettings } from '../core/pipeline-settings.ts';
import { type NewProject, type Project, type ProjectMember, type ProjectStore, projectSlug } from '../core/project.ts';
import type { Visibility } from '../core/visibility.ts';
import type { Connection } from './connection.ts';
import { fromCursor, toCursor } from './cursor.ts';
import { fromJson, toDate } from './json-column.ts';
import { prepare } from './prepare.ts';

interface ProjectRow {
  readonly id: number;
  readonly owner_id: number;
  readonly owner_name: string;
  readonly name: string;
  readonly description: string;
  readonly visibility: string;
  readonly default_branch: string;
  readonly protected_refs: string;
  readonly step_timeout_ms: number;
  readonly pipeline_settings: string;
  readonly created_at: number;
  readonly archived_at: number | null;
  readonly activity_at: number;
}

/** Projects in the database. */
export function createProjectStore(connection: Connection): ProjectStore {
  const { db } = connection;
  const projects = () =>
    db
      .selectFrom('project')
      .innerJoin('owner', 'owner.id', 'project.owner_id')
      .select([
        'project.id',
        'project.owner_id',
        'owner.name as owner_name',
        'project.name',
        'project.description',
        'project.visibility',
        'project.default_branch',
        'project.protected_refs',
        'project.step_timeout_ms',
        'project.pipeline_settings',
        'project.created_at',
        'project.archived_at',
        'project.activity_at',
      ]);
  const byId = prepare<{ id: number }>()(connection, (_, value) => projects().where('project.id', '=', value.id));
  const bySlug = prepare<{ owner: string; name: string }>()(connection, (_, value) =>
    projects().where('owner.name_key', '=', value.owner).where('project.name_key', '=', value.name),
  );
  // Asked with every request: one statement for the three places a role can come from.
  const grants = prepare<{ projectId: number; personId: number }>()(connection, (_, value) =>
    db
      .selectFrom('project_member')
      .select('role')
      .where('project_id', '=', value.projectId)
      .where('person_id', '=', value.personId)
      .unionAll(
        db
          .selectFrom('organisation_member')
          .innerJoin('project', 'project.owner_id', 'organisation_member.organisation_id')
          .select('organisation_member.role')
          .where('project.id', '=', value.projectId)
          .where('organisation_member.person_id', '=', value.personId),
      )
      .unionAll(
        db
          .selectFrom('project')
          .select(sql<string>`'owner'`.as('role'))
          .where('project.id', '=', value.projectId)
          .where('project.owner_id', '=', value.personId),
      ),
  );

  async function isTaken(ownerId: number, name: string, exceptId: number): Promise<boolean> {
    const row = await db
      .selectFrom('project')
      .select('id')
      .where('owner_id', '=', ownerId)
      .where('name_key', '=', name.toLowerCase())
      .where('id', '!=', exceptId)
      .executeTakeFirst();
    return row !== undefined;
  }

  return {
    async find(id) {
      return (await byId.run({ id })).map(toProject)[0];
    },
    async findBySlug(ownerName, name) {
      return (await bySlug.run({ owner: ownerName.toLowerCase(), name: name.toLowerCase() })).map(toProject)[0];
    },
    async listVisible(viewer, page) {
      let query = projects()
        .orderBy('project.activity_at', 'desc')
        .orderBy('project.id', 'desc')
        .limit(page.limit + 1);
      if (!viewer) query = query.where('project.visibility', '=', 'public');
      else if (!viewer.isSiteAdmin) {
        query = query.where((eb) =>
          eb.or([
            eb('project.visibility', 'in', ['public', 'internal']),
            eb('project.owner_id', '=', viewer.personId),
            eb.exists(
              eb
                .selectFrom('project_member')
                .select('project_member.role')
                .whereRef('project_member.project_id', '=', 'project.id')
                .where('project_member.person_id', '=', viewer.personId),
            ),
            eb.exists(
              eb
                .selectFrom('organisation_member')
                .select('organisation_member.role')
                .whereRef('organisation_member.organisation_id', '=', 'project.owner_id')
                .where('organisation_member.person_id', '=', viewer.personId),
            ),
          ]),
        );
      }
      if (page.owner !== undefined) query = query.where('owner.name_key', '=', page.owner.toLowerCase());
      if (page.query) {
        const pattern = `%${page.query.toLowerCase().replaceAll(/[\\%_]/g, '\\$&')}%`;
        query = query.where(
          sql<boolean>`(owner.name_key || '/' || project.name_key like ${pattern} escape '\\'
            or lower(project.description) like ${pattern} escape '\\')`,
        );
      }
      if (page.after !== undefined) {
        const [activityAt, id] = fromCursor(page.after, 2);
        query = query.where(sql<boolean>`(project.activity_at, project.id) < (${activityAt}, ${id})`);
      }
      const rows = await query.execute();
      const last = rows.length > page.limit ? rows[page.limit - 1] : undefined;
      return {
        items: rows.slice(0, page.limit).map(toProject),
        next: last ? toCursor([last.activity_at, last.id]) : null,
      };
    },
    async listAll() {
      return (await projects().orderBy('project.id').execute()).map(toProject);
    },
    async create(project: NewProject) {
      const owner = await db.selectFrom('owner').select('name').where('id', '=', project.ownerId).executeTakeFirst();
      if (!owner) {
        throw new GantryError(
          'PERSON_NOT_FOUND',
          `Cannot create the project "${project.name}": there is no owner ${project.ownerId}`,
        );
      }
      const row = await db
        .insertInto('project')
        .values({
          owner_id: project.ownerId,
          name: project.name,
          name_key: project.name.toLowerCase(),
          description: project.description,
          visibility: project.visibility,
          default_branch: project.defaultBranch,
          protected_refs: JSON.stringify(project.protectedRefs),
          step_timeout_ms: project.stepTimeoutMs,
          created_at: project.createdAt,
          activity_at: project.createdAt,
          last_number: 0,
        })
        .onConflict((conflict) => conflict.columns(['owner_id', 'name_key']).doNothing())
        .returning('id')
        .executeTakeFirst();
      if (!row) {
        const slug = projectSlug({ ownerName: owner.name, name: project.name });
        throw new GantryError('PROJECT_EXISTS', `Cannot create the project "${slug}": there is one with this name`);
      }
      return {
        ...project,
        id: row.id,
        ownerName: owner.name,
        pipelines: defaultPipelineSettings,
        archivedAt: undefined,
      };
    },
    async update(project) {
      if (await isTaken(project.ownerId, project.name, project.id)) {
        throw new GantryError(
          'PROJECT_EXISTS',
          `Cannot change the project "${projectSlug(project)}": there is another with this name`,
        );
      }
      const changed = await db
        .updateTable('project')
        .set({
          owner_id: project.ownerId,
          name: project.name,
          name_key: project.name.toLowerCase(),
          description: project.description,
          visibility: project.visibility,
          default_branch: project.defaultBranch,
          protected_refs: JSON.stringify(project.protectedRefs),
          step_timeout_ms: project.stepTimeoutMs,
          pipeline_settings: JSON.stringify(project.pipelines),
          archived_at: project.archivedAt ?? null,
        })
        .where('id', '=', project.id)
        .executeTakeFirst();
      if (changed.numUpdatedRows === 0n) {
        throw new GantryError(
          'PROJECT_NOT_FOUND',
          `Cannot change the project "${projectSlug(project)}": there is none with the id ${project.id}`,
        );
      }
    },
    async roleOf(projectId, personId) {
      return highest((await grants.run({ projectId, personId })).map((row) => row.role as Role));
    },
    async roleForOwner(ownerId, personId) {
      if (ownerId === personId) return 'owner';
      const row = await db
        .selectFrom('organisation_member')
        .select('role')
        .where('organisation_id', '=', ownerId)
        .where('person_id', '=', personId)
        .executeTakeFirst();
      return row?.role as Role | undefined;
    },
    async members(projectId) {
      const given = await db
        .selectFrom('project_member')
        .innerJoin('owner', 'owner.id', 'project_member.person_id')
        .select(['owner.id', 'owner.name', 'project_member.role'])
        .where('project_member.project_id', '=', projectId)
        .execute();
      const byOrganisation = await db
        .selectFrom('organisation_member')
        .innerJoin('project', 'project.owner_id', 'organisation_member.organisation_id')
        .innerJoin('owner', 'owner.id', 'organisation_member.person_id')
        .select(['owner.id', 'owner.name', 'organisation_member.role'])
        .where('project.id', '=', projectId)
        .execute();
      const owners = await db
        .selectFrom('project')
        .innerJoin('owner', 'owner.id', 'project.owner_id')
        .select(['owner.id', 'owner.name'])
        .where('project.id', '=', projectId)
        .where('owner.kind', '=', 'person')
        .execute();

      // The highest grant counts; of equal ones the one that can be taken away here.
      const all: ProjectMember[] = [
        ...owners.map((row) => member(row, 'owner', 'owner')),
        ...given.map((row) => member(row, row.role as Role, 'project')),
        ...byOrganisation.map((row) => member(row, row.role as Role, 'organisation')),
      ];
      const best = new Map<number, ProjectMember>();
      for (const one of all) {
        const other = best.get(one.personId);
        if (!other || !isAtLeast(other.role, one.role)) best.set(one.personId, one);
      }
      return [...best.values()].toSorted((a, b) => (a.personName.toLowerCase() < b.personName.toLowerCase() ? -1 : 1));
    },
    async setRole(projectId, personId, role) {
      if (role === undefined) {
        await db
          .deleteFrom('project_member')
          .where('project_id', '=', projectId)
          .where('person_id', '=', personId)
          .execute();
        return;
      }
      await db
        .insertInto('project_member')
        .values({ project_id: projectId, person_id: personId, role })
        .onConflict((conflict) => conflict.columns(['project_id', 'person_id']).doUpdateSet({ role }))
        .execute();
    },
  };
}

function member(
  row: { readonly id: number; readonly name: string },
  role: Role,
  from: ProjectMember['from'],
): ProjectMember {
  return { personId: row.id, personName: row.name, role, from };
}

function highest(roles: readonly Role[]): Role | undefined {
  return roles.reduce<Role | undefined>((best, role) => (isAtLeast(best, role) ? best : role), undefined);
}

function toProject(row: ProjectRow): Project {
  return {
    id: row.id,
    ownerId: row.owner_id,
    ownerName: row.owner_name,
    name: row.name,
    description: row.description,
    visibility: row.visibility as Visibility,
    defaultBranch: row.default_branch,
    protectedRefs: fromJson<string[]>(row.protected_refs),
    stepTimeoutMs: row.step_timeout_ms,
    pipelines: { ...defaultPipelineSettings, ...fromJson<Partial<PipelineSettings>>(row.pipeline_settings) },
    createdAt: new Date(row.created_at),
    archivedAt: toDate(row.archived_at),
  };
}
