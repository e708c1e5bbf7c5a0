import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testDatabases } from '../../../test/support/databases.ts';
import { bearer, cookie, jsonBody, openServerWorld, type ServerWorld } from '../../../test/support/server-world.ts';
import type { Person } from '../../core/person.ts';
import type { Project } from '../../core/project.ts';

const databases = await testDatabases();

describe.each(databases)('a token that is limited to projects, on $name', ({ create, stop, isMissing }) => {
  if (isMissing) {
    it.skip('needs the database', () => {});
    return;
  }
  afterAll(stop);

  let world: ServerWorld;
  let mei: Person;
  let session: Record<string, string>;
  beforeEach(async () => {
    world = await openServerWorld({ location: await create() });
    mei = await world.person('mei');
    session = cookie(await world.session(mei));
  });
  afterEach(() => world.close());

  async function change(project: Project, to: Partial<Project>): Promise<void> {
    await world.store.write(async (stores) => {
      await stores.projects.update({ ...project, ...to });
      await stores.happenings.append(
        [{ type: 'project-changed', projectId: project.id, slug: `mei/${to.name ?? project.name}` }],
        world.clock.now(),
      );
    });
  }

  async function createLimited(...projects: string[]): Promise<string> {
    const body = { name: 'ci', scopes: ['*'], projects };
    const made = await world.json('/api/v1/me/tokens', {
      method: 'POST',
      body: jsonBody(body).body as string,
      headers: { ...session, 'Content-Type': 'application/json' },
    });
    expect(made).toMatchObject({ projects });
    return String(made['secret']);
  }

  /** 503 is the probe's answer: the shell let the request through. */
  const statusOf = async (token: string, slug: string): Promise<number> =>
    (await world.request(`/api/v1/projects/${slug}`, { headers: bearer(token) })).status;

  async function listedProjects(): Promise<unknown> {
    const { items } = await world.json('/api/v1/me/tokens', { headers: session });
    return (items as { projects: unknown }[])[0]!.projects;
  }

  it('keeps its project through a rename, shows the present name, and never matches a new project of the old one', async () => {
    const web = await world.project('mei', 'web');
    const token = await createLimited('mei/web');
    expect(await statusOf(token, 'mei/web')).toBe(503);

    await change(web, { name: 'storefront' });
    expect(await statusOf(token, 'mei/storefront')).toBe(503);
    expect(await listedProjects()).toEqual(['mei/storefront']);

    await world.project('mei', 'web', { visibility: 'public' });
    expect(await statusOf(token, 'mei/web')).toBe(404);
    expect(await statusOf(token, 'mei/storefront')).toBe(503);
  });

  it('does not tell the name of a project that its person may no longer see', async () => {
    await world.organisation('shop');
    const secret = await world.project('shop', 'secret');
    const web = await world.project('mei', 'web');
    await world.setRole(secret, mei, 'write');
    await createLimited('shop/secret', 'mei/web');
    await world.setRole(secret, mei, undefined);
    await change(web, { visibility: 'private' });
    expect(await listedProjects()).toEqual(['mei/web']);
  });
});
