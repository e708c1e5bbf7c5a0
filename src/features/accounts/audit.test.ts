import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bearer, cookie, jsonBody, openServerWorld, type ServerWorld } from '../../../test/support/server-world.ts';
import { GantryError } from '../../core/errors.ts';

let world: ServerWorld;
let admin: Record<string, string>;

beforeEach(async () => {
  world = await openServerWorld({
    handlers: {
      async cancelPipeline() {
        throw new GantryError('PIPELINE_NOT_FOUND', 'Cannot cancel pipeline 7: the project has none of this number');
      },
    },
  });
  admin = bearer(await world.token(await world.person('root', { isSiteAdmin: true })));
});
afterEach(() => world.close());

interface Listed {
  readonly items: readonly Record<string, unknown>[];
  readonly next: string | null;
  readonly isUnbroken?: boolean;
}

async function list(path: string, headers = admin): Promise<Listed> {
  return (await world.json(path, { headers })) as unknown as Listed;
}

const shown = ({ items }: Listed) => items.map(({ actor, action, subject }) => `${actor} ${action} ${subject}`);

async function setSecret(slug: string, headers: Record<string, string>): Promise<number> {
  const { body } = jsonBody({ value: 'a secret value' });
  const all = { ...headers, 'Content-Type': 'application/json' };
  return (
    await world.request(`/api/v1/projects/${slug}/secrets/key`, { method: 'PUT', body: body as string, headers: all })
  ).status;
}

describe('the audit record', () => {
  it('is listed by actor, action, project and time, page by page', async () => {
    await world.organisation('shop');
    await world.project('shop', 'web');
    const eve = bearer(await world.token(await world.person('eve')));
    await setSecret('shop/web', admin);
    world.clock.advance(3_600_000);
    await setSecret('shop/web', eve);
    await setSecret('shop/nothing', eve);

    expect(shown(await list('/api/v1/audit?actor=eve'))).toEqual([
      'eve secret:write:refused shop/nothing',
      'eve secret:write:refused shop/web',
    ]);
    expect(shown(await list('/api/v1/audit?project=SHOP/web'))).toEqual([
      'eve secret:write:refused shop/web',
      'root secret:create shop/web',
    ]);
    // What was tried on a project that is not there stands under the name that was typed.
    expect(shown(await list('/api/v1/audit?project=shop/nothing'))).toEqual(['eve secret:write:refused shop/nothing']);
    expect(shown(await list('/api/v1/audit?action=secret:create'))).toEqual(['root secret:create shop/web']);
    expect(shown(await list('/api/v1/audit?action=secret'))).toHaveLength(3);
    expect(shown(await list('/api/v1/audit?refused=true'))).toHaveLength(2);
    expect(shown(await list('/api/v1/audit?action=secret&to=2026-11-25T12:30:00Z'))).toEqual([
      'root secret:create shop/web',
    ]);
    expect(shown(await list('/api/v1/audit?from=2026-11-25T20:30:00%2B08:00'))).toHaveLength(2);

    const first = await list('/api/v1/audit?action=secret&limit=2');
    const second = await list(`/api/v1/audit?action=secret&limit=2&after=${first.next}`);
    expect([...shown(first), ...shown(second)]).toHaveLength(3);
    expect(second.next).toBeNull();
    expect((await world.request('/api/v1/audit?from=yesterday', { headers: admin })).status).toBe(400);
  });

  it('shows the admins of a project what is about it, through a rename, and never what was about another of its name', async () => {
    await world.organisation('shop');
    const web = await world.project('shop', 'web');
    const li = await world.person('li');
    const ana = await world.person('ana');
    await world.setRole(web, li, 'admin');
    await world.setRole(web, ana, 'maintain');
    const asLi = cookie(await world.session(li));
    await setSecret('shop/web', asLi);
    await world.store.write(async (stores) => {
      await stores.projects.update({ ...web, name: 'storefront' });
      await stores.happenings.append(
        [{ type: 'project-changed', projectId: web.id, slug: 'shop/storefront' }],
        world.clock.now(),
      );
    });
    const other = await world.project('shop', 'web');
    await world.setRole(other, ana, 'admin');

    const mine = await list('/api/v1/projects/shop/storefront/audit', asLi);
    expect(shown(mine)).toEqual(['li secret:create shop/web']);
    // Where somebody works from is for site admins.
    expect(mine.items[0]).not.toHaveProperty('remoteAddress');
    const asAna = cookie(await world.session(ana));
    expect((await list('/api/v1/projects/shop/web/audit', asAna)).items).toEqual([]);
    expect((await world.request('/api/v1/projects/shop/storefront/audit', { headers: asAna })).status).toBe(403);
  });

  it('does not note who mistypes the number of a pipeline', async () => {
    await world.organisation('shop');
    await world.project('shop', 'web');
    const answer = await world.request('/api/v1/projects/shop/web/pipelines/7/cancel', {
      method: 'POST',
      headers: admin,
    });
    expect(answer.status).toBe(404);
    expect((await list('/api/v1/audit?refused=true')).items).toEqual([]);
  });

  it('says how far its chain is whole, and that its end was cut off', async () => {
    const whole = await world.json('/api/v1/audit/chain', { headers: admin });
    expect(whole).toEqual({
      isUnbroken: true,
      brokenAt: null,
      records: 1,
      hash: expect.stringMatching(/^[\da-f]{64}$/),
    });
    await setSecret('root/nothing', admin);
    expect(await world.json('/api/v1/audit/chain', { headers: admin })).toMatchObject({ records: 2 });
    expect(await list('/api/v1/audit')).toMatchObject({ isUnbroken: true, followedTo: 2 });
  });

  it('is exported as JSON lines, with what its hashes are taken over, and says who took it', async () => {
    for (let i = 0; i < 1_100; i += 1)
      await world.store.write((stores) =>
        stores.audit.append({
          at: world.clock.now(),
          actor: 'mei',
          action: 'secret:create',
          subject: `shop/${i}\n`,
          remoteAddress: '::1',
          requestId: 'r',
          details: { name: '密钥' },
        }),
      );
    const answer = await world.request('/api/v1/audit/export?actor=mei', { headers: admin });
    expect(answer.headers.get('content-type')).toBe('application/jsonl; charset=utf-8');
    const lines = (await answer.text()).trimEnd().split('\n');
    expect(lines).toHaveLength(1_100);
    const [newest, next] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(newest).toMatchObject({ sequence: 1_101, subject: 'shop/1099\n', details: { name: '密钥' } });
    expect(newest!['previousHash']).toBe(next!['hash']);
    expect(shown(await list('/api/v1/audit?limit=1'))).toEqual(['root audit:export site']);

    const eve = bearer(await world.token(await world.person('eve')));
    expect((await world.request('/api/v1/audit/export', { headers: eve })).status).toBe(403);
    expect((await world.request('/api/v1/audit/export?limit=x', { headers: admin })).status).toBe(400);
  });
});
