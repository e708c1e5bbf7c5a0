import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testDatabases } from '../../test/support/databases.ts';
import { planOf, stepPlan, workflowPlan } from '../../test/support/plans.ts';
import { createEvent, createPerson, createProject, newPipeline, someTime } from '../../test/support/store-world.ts';
import type { AuditFilter, NewAuditEntry } from '../core/audit.ts';
import { sessionIdleMs } from '../core/credential.ts';
import type { Holder } from '../core/holder.ts';
import type { PipelineFacts, PipelineStatus, Step, StepChange } from '../core/pipeline.ts';
import { defaultPipelineSettings } from '../core/pipeline-settings.ts';
import type { WorkflowPlan } from '../core/plan.ts';
import type { TraceEntry } from '../core/trace.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { openStore, type Store } from './open-store.ts';

const databases = await testDatabases();
const later = (ms: number): Date => new Date(someTime.getTime() + ms);
const skipped: TraceEntry = {
  subject: { kind: 'step', workflow: 'default', step: 'deploy' },
  rule: 'step.when.branch',
  verdict: 'skipped',
  values: { pattern: 'release/*', value: 'main' },
};

describe.each(databases)('stores on $name', ({ create, stop, isMissing }) => {
  if (isMissing) {
    it.skip('need the database', () => {});
    return;
  }

  let store: Store;
  beforeEach(async () => {
    store = await openStore(await create(), { clock: systemClock, logger: silentLogger });
  });
  afterEach(() => store.close());
  afterAll(stop);

  describe('people', () => {
    it('are found by name whatever its case, with what they were given', async () => {
      const mei = await createPerson(store, 'Mei', true);
      expect(await store.read.people.findByName('mEI')).toEqual(mei);
      expect(await store.read.people.find(mei.id)).toEqual({
        id: mei.id,
        name: 'Mei',
        displayName: 'Mei',
        email: 'mei@example.org',
        isSiteAdmin: true,
        disabledAt: undefined,
        createdAt: someTime,
      });
      expect(await store.read.people.count()).toBe(1);
    });

    it('share their names with organisations', async () => {
      await createPerson(store, 'mei');
      await store.write(({ organisations }) =>
        organisations.create({ name: 'Shop', displayName: 'The shop', createdAt: someTime }),
      );
      await expect(createPerson(store, 'SHOP')).rejects.toMatchObject({ code: 'PERSON_EXISTS' });
      await expect(
        store.write(({ organisations }) => organisations.create({ name: 'Mei', displayName: '', createdAt: someTime })),
      ).rejects.toMatchObject({ code: 'PERSON_EXISTS' });
      expect(await store.read.people.findByName('shop')).toBeUndefined();
      expect((await store.read.organisations.findByName('shop'))?.displayName).toBe('The shop');
    });

    it('are changed and disabled, and enabled again', async () => {
      const mei = await createPerson(store, 'mei');
      await store.write(({ people }) => people.update({ ...mei, displayName: '梅', disabledAt: later(5) }));
      expect(await store.read.people.find(mei.id)).toEqual({ ...mei, displayName: '梅', disabledAt: later(5) });
      await store.write(({ people }) => people.update({ ...mei, disabledAt: undefined }));
      expect((await store.read.people.find(mei.id))?.disabledAt).toBeUndefined();
    });

    it('remember when they were last seen, whatever else changes', async () => {
      const mei = await createPerson(store, 'mei');
      expect(mei.lastSeenAt).toBeUndefined();
      await store.write(({ people }) => people.markSeen(mei.id, later(9)));
      await store.write(({ people }) => people.update({ ...mei, email: 'x@example.org' }));
      expect(await store.read.people.find(mei.id)).toEqual({ ...mei, email: 'x@example.org', lastSeenAt: later(9) });
    });

    it('have a password hash that only findCredentials gives', async () => {
      const mei = await createPerson(store, 'mei');
      await store.write(({ people }) => people.setPasswordHash(mei.id, '$new$'));
      expect(await store.read.people.findCredentials('MEI')).toEqual({ personId: mei.id, passwordHash: '$new$' });
      expect(await store.read.people.findCredentials('nobody')).toBeUndefined();
    });
  });

  describe('tokens and sessions', () => {
    it('come back as they were stored', async () => {
      const mei = await createPerson(store, 'mei');
      const token = {
        id: 'tok_1',
        personId: mei.id,
        name: 'laptop',
        prefix: 'gty_abcd',
        scopes: ['code:write', 'pipeline:read'] as const,
        projectIds: [3, 1],
        createdAt: someTime,
        expiresAt: later(1_000),
        lastUsedAt: undefined,
      };
      await store.write(({ tokens }) => tokens.create({ ...token, sha256: 'hash' }));
      expect(await store.read.tokens.findByHash('hash')).toEqual(token);
      await store.write(({ tokens }) => tokens.markUsed('tok_1', later(7)));
      expect(await store.read.tokens.list(mei.id)).toEqual([{ ...token, lastUsedAt: later(7) }]);
      await store.write(({ tokens }) => tokens.remove('tok_1'));
      expect(await store.read.tokens.find('tok_1')).toBeUndefined();
    });

    it('of others end when the password changes, the one in use stays', async () => {
      const mei = await createPerson(store, 'mei');
      const session = {
        personId: mei.id,
        createdAt: someTime,
        lastUsedAt: someTime,
        expiresAt: later(1_000),
        userAgent: 'curl',
        remoteAddress: '127.0.0.1',
      };
      await store.write(async ({ sessions }) => {
        for (const id of ['a', 'b', 'c']) await sessions.create({ ...session, id, sha256: `hash-${id}` });
        await sessions.removeOthers(mei.id, 'b');
      });
      expect(await store.read.sessions.list(mei.id)).toEqual([{ ...session, id: 'b' }]);
      await store.write(({ sessions }) => sessions.removeOthers(mei.id, undefined));
      expect(await store.read.sessions.findByHash('hash-b')).toBeUndefined();
    });
  });

  describe('logins of programs', () => {
    it('are found by either code, change, and are forgotten when they have run out', async () => {
      const mei = await createPerson(store, 'mei');
      const login = {
        deviceSha256: 'long',
        userSha256: 'short',
        hostName: '笔记本',
        scopes: ['code:read'] as const,
        expiresInDays: null,
        remoteAddress: '::1',
        createdAt: someTime,
        expiresAt: later(600_000),
        intervalMs: 5_000,
        polledAt: undefined,
        decision: undefined,
      };
      await store.write(({ deviceLogins }) => deviceLogins.create(login));
      const other = { ...login, deviceSha256: 'x', userSha256: 'y', expiresInDays: 7, expiresAt: later(1) };
      await store.write(({ deviceLogins }) => deviceLogins.create(other));
      expect(await store.read.deviceLogins.findByDevice('long')).toEqual(login);
      expect(await store.read.deviceLogins.findByUser('short')).toEqual(login);
      expect(await store.read.deviceLogins.findByUser('long')).toBeUndefined();
      for (const isApproved of [true, false]) {
        const changed = {
          ...login,
          intervalMs: 10_000,
          polledAt: later(7),
          decision: { personId: mei.id, isApproved },
        };
        await store.write(({ deviceLogins }) => deviceLogins.update(changed));
        expect(await store.read.deviceLogins.findByDevice('long')).toEqual(changed);
      }
      expect(await store.read.deviceLogins.count(later(1))).toBe(1);
      expect(await store.write(({ deviceLogins }) => deviceLogins.prune(later(1), 10))).toBe(1);
      expect(await store.read.deviceLogins.findByDevice('x')).toBeUndefined();
      await store.write(({ deviceLogins }) => deviceLogins.remove('long'));
      expect(await store.read.deviceLogins.count(someTime)).toBe(0);
    });
  });

  describe('one-time links', () => {
    it('are one for each person: a new one replaces the old one', async () => {
      const mei = await createPerson(store, 'mei');
      const link = { personId: mei.id, sha256: 'one', createdAt: someTime, expiresAt: later(1_000) };
      await store.write(({ passwordLinks }) => passwordLinks.set(link));
      expect(await store.read.passwordLinks.findByHash('one')).toEqual(link);
      await store.write(({ passwordLinks }) => passwordLinks.set({ ...link, sha256: 'two', expiresAt: later(2_000) }));
      expect(await store.read.passwordLinks.findByHash('one')).toBeUndefined();
      expect(await store.write(({ passwordLinks }) => passwordLinks.prune(later(1_999), 10))).toBe(0);
      expect(await store.write(({ passwordLinks }) => passwordLinks.prune(later(2_000), 10))).toBe(1);
      await store.write(({ passwordLinks }) => passwordLinks.set(link));
      await store.write(({ passwordLinks }) => passwordLinks.removeOf(mei.id));
      expect(await store.read.passwordLinks.findByHash('one')).toBeUndefined();
    });
  });

  describe('what has run out', () => {
    it('is forgotten in batches: sessions that ended by age or idleness, and no other', async () => {
      const mei = await createPerson(store, 'mei');
      const now = later(40 * 24 * 3_600_000);
      const before = (ms: number): Date => new Date(now.getTime() - ms);
      const session = (id: string, lastUsedMs: number, endsInMs: number) =>
        store.write(({ sessions }) =>
          sessions.create({
            id,
            sha256: id,
            personId: mei.id,
            createdAt: someTime,
            lastUsedAt: before(lastUsedMs),
            expiresAt: before(-endsInMs),
            userAgent: '',
            remoteAddress: '',
          }),
        );
      await session('in use', 60_000, 1);
      await session('not yet idle', sessionIdleMs - 1, 60_000);
      await session('idle', sessionIdleMs, 60_000);
      await session('old', 60_000, 0);
      await session('both', sessionIdleMs * 2, -1);
      const prune = (limit: number) => store.write(({ sessions }) => sessions.prune(now, limit));
      expect(await prune(1)).toBe(1);
      expect(await prune(10)).toBe(2);
      expect(await prune(10)).toBe(0);
      expect((await store.read.sessions.list(mei.id)).map(({ id }) => id)).toEqual(['in use', 'not yet idle']);
    });

    it('of tries is forgotten once it means nothing', async () => {
      const bucket = { capacity: 10, perSecond: 1 };
      for (const key of ['a', 'b', 'c'])
        await store.write(({ rateLimits }) => rateLimits.take(key, 10, bucket, someTime));
      const prune = (ms: number, limit: number) => store.write(({ rateLimits }) => rateLimits.prune(later(ms), limit));
      expect(await prune(10_000, 10)).toBe(0);
      expect(await store.write(({ rateLimits }) => rateLimits.take('a', 10, bucket, later(5_000)))).toMatchObject({
        allowed: false,
      });
      expect(await prune(10_001, 2)).toBe(2);
      expect(await prune(10_001, 2)).toBe(1);
    });
  });

  describe('a rate limit', () => {
    const bucket = { capacity: 10, perSecond: 0.1 };
    const take = (cost: number, at: Date) =>
      store.write(({ rateLimits }) => rateLimits.take('sign-in:mei', cost, bucket, at));

    it('gives until its bucket is empty, then says how long to wait, and refills with time', async () => {
      expect(await take(6, someTime)).toEqual({ allowed: true, retryAfterMs: 0 });
      expect(await take(6, someTime)).toEqual({ allowed: false, retryAfterMs: 20_000 });
      expect(await take(4, someTime)).toEqual({ allowed: true, retryAfterMs: 0 });
      expect(await take(1, later(9_999))).toMatchObject({ allowed: false });
      expect(await take(1, later(10_000))).toMatchObject({ allowed: true });
    });

    it('takes nothing when it refuses, and never holds more than its capacity', async () => {
      expect(await take(11, someTime)).toMatchObject({ allowed: false });
      expect(await take(10, later(1_000_000))).toMatchObject({ allowed: true });
      expect(await take(1, later(1_000_000))).toMatchObject({ allowed: false });
    });

    it('is not refilled by a clock that jumps back', async () => {
      await take(10, later(50_000));
      expect(await take(1, someTime)).toMatchObject({ allowed: false });
    });
  });

  describe('the audit record', () => {
    const entry = (n: number): NewAuditEntry => ({
      at: later(n),
      actor: 'mei',
      action: 'token:create',
      subject: `person:${n}`,
      remoteAddress: '127.0.0.1',
      requestId: `req_${n}`,
      details: { new: { scopes: ['*'], name: '笔记本' }, before: null },
    });

    it('is a chain that verify finds unbroken', async () => {
      expect(await store.read.audit.verify()).toBeUndefined();
      for (const n of [1, 2, 3]) await store.write(({ audit }) => audit.append(entry(n)));
      expect(await store.read.audit.verify()).toBeUndefined();
      const [third, second] = await store.read.audit.list({ limit: 2 });
      expect(third).toMatchObject({ ...entry(3), sequence: 3, previousHash: second?.hash });
      expect(await store.read.audit.list({ limit: 5, before: 2 })).toMatchObject([{ sequence: 1 }]);
    });

    it('is listed by who, what, on what and when, and takes every character of a filter as it is', async () => {
      const made: Partial<NewAuditEntry>[] = [
        { action: 'secret:create', subject: 'shop/web', projectId: 1 },
        { action: 'secret:write:refused', subject: 'shop/web', projectId: 2, actor: 'eve' },
        { action: 'secretary:create', subject: 'shop/web:x' },
        { action: 'member:manage', subject: 'shop/webber', projectId: 1, actor: 'eve' },
      ];
      for (const [n, one] of made.entries()) await store.write(({ audit }) => audit.append({ ...entry(n), ...one }));
      const found = async (filter: AuditFilter) =>
        (await store.read.audit.list({ limit: 10, ...filter })).map(({ sequence }) => sequence);
      expect(await found({ actor: 'eve' })).toEqual([4, 2]);
      expect(await found({ action: 'secret' })).toEqual([2, 1]);
      expect(await found({ action: 'secret:create' })).toEqual([1]);
      for (const wild of ['%', 'secret_', 's%', '\\', "'"]) expect(await found({ action: wild })).toEqual([]);
      expect(await found({ isRefused: true })).toEqual([2]);
      expect(await found({ projectId: 1 })).toEqual([4, 1]);
      expect(await found({ subject: 'shop/web' })).toEqual([3, 2, 1]);
      expect(await found({ from: later(1), to: later(3) })).toEqual([3, 2]);
      expect(await found({ actor: 'eve', projectId: 1 })).toEqual([4]);
      expect((await store.read.audit.list({ limit: 1, projectId: 2 }))[0]).toMatchObject({ projectId: 2 });
      expect(await store.read.audit.verify()).toBeUndefined();
    });

    it('is followed on from where it was followed to, and misses what is no longer there', async () => {
      const { audit } = store.read;
      const empty = await audit.follow(undefined);
      expect(empty).toMatchObject({ brokenAt: undefined, last: { sequence: 0 } });
      for (const n of [1, 2, 3]) await store.write((stores) => stores.audit.append(entry(n)));
      const whole = await audit.follow(empty.last);
      expect(whole).toMatchObject({ brokenAt: undefined, last: { sequence: 3 } });
      await store.write((stores) => stores.audit.append(entry(4)));
      expect(await audit.follow(whole.last)).toMatchObject({ brokenAt: undefined, last: { sequence: 4 } });
      expect(await audit.follow(undefined, 2)).toMatchObject({ brokenAt: undefined, last: { sequence: 2 } });
      expect((await audit.follow({ sequence: 3, hash: 'another' })).brokenAt).toBe(3);
      expect((await audit.follow({ sequence: 9, hash: 'cut off' })).brokenAt).toBe(9);
    });
  });

  describe('projects', () => {
    it('are found by their slug whatever its case, and refuse a taken name', async () => {
      const mei = await createPerson(store, 'Mei');
      const project = await createProject(store, mei.id, 'Storefront');
      expect(project).toMatchObject({ ownerName: 'Mei', name: 'Storefront', protectedRefs: ['refs/heads/main'] });
      expect(await store.read.projects.findBySlug('mei', 'STOREFRONT')).toEqual(project);
      await expect(createProject(store, mei.id, 'storeFRONT')).rejects.toMatchObject({ code: 'PROJECT_EXISTS' });
      const other = await createProject(store, mei.id, 'other');
      await expect(
        store.write(({ projects }) => projects.update({ ...other, name: 'STOREFRONT' })),
      ).rejects.toMatchObject({ code: 'PROJECT_EXISTS' });
      await store.write(({ projects }) => projects.update({ ...project, name: 'storefront', archivedAt: later(1) }));
      expect(await store.read.projects.find(project.id)).toEqual({
        ...project,
        name: 'storefront',
        archivedAt: later(1),
      });
    });

    it('give the highest role of all grants', async () => {
      const mei = await createPerson(store, 'mei');
      const bo = await createPerson(store, 'bo');
      const shop = await store.write(({ organisations }) =>
        organisations.create({ name: 'shop', displayName: '', createdAt: someTime }),
      );
      const own = await createProject(store, mei.id, 'own');
      const shared = await createProject(store, shop.id, 'shared');
      const { projects } = store.read;
      expect(await projects.roleOf(own.id, mei.id)).toBe('owner');
      expect(await projects.roleOf(own.id, bo.id)).toBeUndefined();
      expect(await projects.roleOf(shared.id, mei.id)).toBeUndefined();

      await store.write(async (stores) => {
        await stores.projects.setRole(shared.id, bo.id, 'read');
        await stores.organisations.setRole(shop.id, bo.id, 'maintain');
        await stores.organisations.setRole(shop.id, mei.id, 'read');
        await stores.projects.setRole(shared.id, mei.id, 'admin');
        await stores.projects.setRole(own.id, bo.id, 'write');
      });
      expect(await projects.roleOf(shared.id, bo.id)).toBe('maintain');
      expect(await projects.roleOf(shared.id, mei.id)).toBe('admin');
      expect(await projects.roleForOwner(shop.id, bo.id)).toBe('maintain');
      expect(await projects.roleForOwner(mei.id, mei.id)).toBe('owner');
      expect(await projects.members(shared.id)).toEqual([
        { personId: bo.id, personName: 'bo', role: 'maintain', from: 'organisation' },
        { personId: mei.id, personName: 'mei', role: 'admin', from: 'project' },
      ]);
      expect(await projects.members(own.id)).toEqual([
        { personId: bo.id, personName: 'bo', role: 'write', from: 'project' },
        { personId: mei.id, personName: 'mei', role: 'owner', from: 'owner' },
      ]);

      await store.write((stores) => stores.projects.setRole(shared.id, mei.id, undefined));
      expect(await projects.roleOf(shared.id, mei.id)).toBe('read');
    });

    it('are listed for whom they are visible, newest activity first, page by page', async () => {
      const mei = await createPerson(store, 'mei');
      const bo = await createPerson(store, 'bo');
      const shop = await store.write(({ organisations }) =>
        organisations.create({ name: 'shop', displayName: '', createdAt: someTime }),
      );
      await createProject(store, mei.id, 'private', { createdAt: later(1) });
      await createProject(store, mei.id, 'internal', { createdAt: later(2), visibility: 'internal' });
      const open = await createProject(store, mei.id, 'public', { createdAt: later(3), visibility: 'public' });
      const granted = await createProject(store, mei.id, 'granted', { createdAt: later(3) });
      await createProject(store, shop.id, 'team', { createdAt: later(5) });
      await store.write(async ({ projects, organisations }) => {
        await projects.setRole(granted.id, bo.id, 'read');
        await organisations.setRole(shop.id, bo.id, 'write');
      });
      const names = async (viewer: Parameters<typeof store.read.projects.listVisible>[0], more = {}) =>
        (await store.read.projects.listVisible(viewer, { limit: 10, ...more })).items.map(({ name }) => name);
      const asBo = { personId: bo.id, isSiteAdmin: false };

      expect(await names(undefined)).toEqual(['public']);
      expect(await names(asBo)).toEqual(['team', 'granted', 'public', 'internal']);
      expect(await names({ personId: mei.id, isSiteAdmin: false })).toEqual([
        'granted',
        'public',
        'internal',
        'private',
      ]);
      expect(await names({ personId: bo.id, isSiteAdmin: true })).toHaveLength(5);
      expect(await names(asBo, { query: 'PUB' })).toEqual(['public']);
      expect(await names(asBo, { query: 'mei/int' })).toEqual(['internal']);
      expect(await names(asBo, { query: '%' })).toEqual([]);
      expect(await names(asBo, { owner: 'SHOP' })).toEqual(['team']);

      const first = await store.read.projects.listVisible(asBo, { limit: 3 });
      const second = await store.read.projects.listVisible(asBo, { limit: 3, after: first.next ?? '' });
      expect([...first.items, ...second.items].map(({ name }) => name)).toEqual([
        'team',
        'granted',
        'public',
        'internal',
      ]);
      expect(second.next).toBeNull();
      await expect(store.read.projects.listVisible(asBo, { limit: 3, after: 'nonsense' })).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
      });

      const event = await createEvent(store, open.id, 'push:1');
      await store.write(({ pipelines }) =>
        pipelines.create(newPipeline(event, 1, { createdAt: later(9) }), planOf(workflowPlan('default', []))),
      );
      expect((await names(asBo))[0]).toBe('public');
    });
  });

  describe('events', () => {
    it('are stored once under one key', async () => {
      const mei = await createPerson(store, 'mei');
      const project = await createProject(store, mei.id, 'shop');
      const given = {
        projectId: project.id,
        kind: 'manual' as const,
        key: 'manual:1',
        ref: 'refs/heads/main',
        before: 'a'.repeat(40),
        after: 'a'.repeat(40),
        personName: 'mei',
        personId: mei.id,
        parameters: { TARGET: '生产' },
        createdAt: someTime,
      };
      const first = await store.write(({ events }) => events.create(given));
      const again = await store.write(({ events }) => events.create({ ...given, parameters: {} }));
      expect(first).toEqual({
        event: { ...given, id: first.event.id, plannedAt: undefined, pipelineId: undefined },
        isNew: true,
      });
      expect(again).toEqual({ event: first.event, isNew: false });
      expect(await store.read.events.findByKey('manual:1')).toEqual(first.event);
    });

    it('wait until they are planned, with the trace that says why', async () => {
      const mei = await createPerson(store, 'mei');
      const project = await createProject(store, mei.id, 'shop');
      const one = await createEvent(store, project.id, 'push:1');
      const two = await createEvent(store, project.id, 'push:2');
      expect(await store.read.events.listUnplanned(10)).toEqual([one, two]);
      await store.write(({ events }) => events.markPlanned(one.id, later(3), undefined, [skipped]));
      expect(await store.read.events.listUnplanned(10)).toEqual([two]);
      expect(await store.read.events.find(one.id)).toEqual({ ...one, plannedAt: later(3) });
      expect(await store.read.events.trace(one.id)).toEqual([skipped]);
      expect(await store.read.events.trace(two.id)).toEqual([]);
      expect(await store.read.events.listByProject(project.id, 1)).toEqual([two]);
    });

    it('are preceded by intents, which are gone once judged', async () => {
      const mei = await createPerson(store, 'mei');
      const project = await createProject(store, mei.id, 'shop');
      const intent = (ref: string) => ({
        pushId: 'push_1',
        projectId: project.id,
        ref,
        before: '0'.repeat(40),
        after: 'b'.repeat(40),
        personName: 'mei',
        personId: mei.id,
        createdAt: someTime,
      });
      const made = await store.write(({ events }) =>
        events.createIntents([intent('refs/heads/a'), intent('refs/heads/b')]),
      );
      await store.write(({ events }) => events.setIntentProcess('push_1', 4711, '998877665544'));
      expect(await store.read.events.listIntents()).toEqual(
        made.map((one) => ({ ...one, receivePid: 4711, receiveStartedTicks: '998877665544' })),
      );
      await store.write(({ events }) => events.removeIntents('push_1'));
      expect(await store.read.events.listIntents()).toEqual([]);
    });

    it('remember the last seen references; zeros forget one', async () => {
      const mei = await createPerson(store, 'mei');
      const project = await createProject(store, mei.id, 'shop');
      await store.write(async ({ events }) => {
        await events.setLastSeenRef(project.id, 'refs/heads/main', 'a'.repeat(40));
        await events.setLastSeenRef(project.id, 'refs/heads/main', 'b'.repeat(40));
        await events.setLastSeenRef(project.id, 'refs/tags/v1', 'c'.repeat(40));
        await events.setLastSeenRef(project.id, 'refs/tags/v1', '0'.repeat(40));
      });
      expect(await store.read.events.lastSeenRefs(project.id)).toEqual(new Map([['refs/heads/main', 'b'.repeat(40)]]));
    });
  });

  describe('pipelines', () => {
    async function aPipeline(...workflows: readonly WorkflowPlan[]) {
      const mei = await createPerson(store, 'mei');
      const project = await createProject(store, mei.id, 'shop');
      const event = await createEvent(store, project.id, 'push:1');
      const created = await store.write(({ pipelines }) =>
        pipelines.create(newPipeline(event, 1), planOf(...workflows)),
      );
      if (!created) throw new Error('The pipeline was not created');
      return { project, event, ...created };
    }

    it('are created with workflows and steps in one go', async () => {
      const { pipeline, workflows, steps } = await aPipeline(
        workflowPlan('test', [stepPlan('clone'), stepPlan('deploy', { skipped })]),
        workflowPlan('ship', [stepPlan('upload')], { dependsOn: ['test'] }),
        workflowPlan('elsewhere', [], { blocked: 'No runner is a Windows machine' }),
      );
      expect(pipeline).toMatchObject({
        number: 1,
        status: 'queued',
        message: expect.stringContaining('Details.'),
        error: undefined,
      });
      expect(workflows.map(({ name, status, attempt, token }) => [name, status, attempt, token])).toEqual([
        ['test', 'queued', 1, 0],
        ['ship', 'blocked', 1, 0],
        ['elsewhere', 'blocked', 1, 0],
      ]);
      expect(steps.map(({ name, status, reason }) => [name, status, reason])).toEqual([
        ['clone', 'waiting', undefined],
        ['deploy', 'skipped', skipped],
        ['upload', 'waiting', undefined],
      ]);
      expect(await store.read.pipelines.find(pipeline.id)).toEqual(pipeline);
      expect(await store.read.pipelines.findByNumber(pipeline.projectId, 1)).toEqual(pipeline);
      expect(await store.read.pipelines.findByEvent(pipeline.eventId)).toEqual(pipeline);
      expect(await store.read.pipelines.workflows(pipeline.id)).toEqual(workflows);
      expect(await store.read.pipelines.findWorkflow(workflows[1]?.id ?? 0)).toEqual(workflows[1]);
      expect(await store.read.pipelines.steps(pipeline.id)).toEqual(steps);
      expect(await store.read.pipelines.findStep(steps[1]?.id ?? 0)).toEqual(steps[1]);
    });

    it('keep what their file was read with, when that is known', async () => {
      const { project, pipeline } = await aPipeline(workflowPlan('default', [stepPlan('a')]));
      expect(await store.read.pipelines.facts(pipeline.id)).toBeUndefined();
      const facts: PipelineFacts = {
        project: {
          owner: 'mei',
          name: 'shop',
          visibility: 'private',
          defaultBranch: 'main',
          link: 'https://git.example.com/mei/shop',
          cloneUrl: 'https://git.example.com/mei/shop.git',
        },
        instanceUrl: 'https://git.example.com',
        variables: { REGION: '华东' },
        rules: { path: 'ci/pipeline.yml' },
      };
      const event = await createEvent(store, project.id, 'push:2');
      const created = await store.write(({ pipelines }) =>
        pipelines.create(newPipeline(event, 2, { facts }), planOf()),
      );
      expect(await store.read.pipelines.facts(created?.pipeline.id ?? 0)).toEqual(facts);
    });

    it('tell how long steps took in the last pipelines of their branch that passed', async () => {
      const { project, pipeline } = await aPipeline(workflowPlan('default', [stepPlan('a')]));
      const run = async (branch: string, status: PipelineStatus, seconds: number) => {
        const number = await store.read.pipelines.nextNumber(project.id);
        const event = await createEvent(store, project.id, `push:${number}`);
        const plan = planOf(workflowPlan('default', [stepPlan('build'), stepPlan('deploy', { skipped })]));
        return store.write(async ({ pipelines }) => {
          const created = await pipelines.create(newPipeline(event, number, { branch, status }), plan);
          const [build] = created?.steps ?? [];
          const finishedAt = later(seconds * 1_000);
          await pipelines.updateSteps([
            { id: build?.id ?? 0, status: 'passed', startedAt: someTime, runningAt: later(500), finishedAt },
          ]);
          return build?.id ?? 0;
        });
      };
      const first = await run('main', 'passed', 1);
      expect(await store.read.pipelines.findStep(first)).toMatchObject({ startedAt: someTime, runningAt: later(500) });
      for (const seconds of [2, 3]) await run('main', 'passed', seconds);
      await run('main', 'failed', 100);
      await run('other', 'passed', 200);
      const number = await store.read.pipelines.nextNumber(project.id);
      const past = await store.read.pipelines.passedStepDurations({ ...pipeline, number }, 2);
      expect(past.toSorted((a, b) => a.durationMs - b.durationMs)).toEqual([
        { workflow: 'default', step: 'build', durationMs: 2_000 },
        { workflow: 'default', step: 'build', durationMs: 3_000 },
      ]);
      expect(await store.read.pipelines.passedStepDurations(pipeline, 20)).toEqual([]);
    });

    it('count from one within their project, and a number that is taken is not given again', async () => {
      const { project } = await aPipeline(workflowPlan('default', [stepPlan('a')]));
      const second = await createEvent(store, project.id, 'push:2');
      expect(await store.read.pipelines.nextNumber(project.id)).toBe(2);
      const refused = await store.write(({ pipelines }) =>
        pipelines.create(newPipeline(second, 1), planOf(workflowPlan('default', [stepPlan('a')]))),
      );
      expect(refused).toBeUndefined();
      expect(await store.read.pipelines.findByEvent(second.id)).toBeUndefined();
      const created = await store.write(({ pipelines }) => pipelines.create(newPipeline(second, 2), planOf()));
      expect(created?.pipeline.number).toBe(2);

      const other = await createProject(store, project.ownerId, 'other');
      expect(await store.read.pipelines.nextNumber(other.id)).toBe(1);
      expect(await store.read.pipelines.latest([project.id, other.id])).toEqual(
        new Map([[project.id, created?.pipeline]]),
      );
    });

    it('keep the error of a file that did not compile', async () => {
      const mei = await createPerson(store, 'mei');
      const project = await createProject(store, mei.id, 'shop');
      const event = await createEvent(store, project.id, 'push:1');
      const error = { message: 'unknown key "stpes"', path: '.gantry.yml', line: 3, column: 1 };
      const created = await store.write(({ pipelines }) =>
        pipelines.create(
          newPipeline(event, 1, { status: 'failed', error, finishedAt: later(2), parameters: { A: 'b' } }),
          planOf(),
        ),
      );
      expect(await store.read.pipelines.find(created?.pipeline.id ?? 0)).toMatchObject({
        error,
        finishedAt: later(2),
        parameters: { A: 'b' },
      });
    });

    it('are listed newest first, page by page, by status, branch and event', async () => {
      const mei = await createPerson(store, 'mei');
      const project = await createProject(store, mei.id, 'shop');
      for (const n of [1, 2, 3, 4, 5]) {
        const event = await createEvent(store, project.id, `push:${n}`);
        const more = {
          branch: n % 2 ? 'main' : 'feature',
          status: n === 3 ? ('failed' as const) : ('passed' as const),
        };
        await store.write(({ pipelines }) => pipelines.create(newPipeline(event, n, more), planOf()));
      }
      const { pipelines } = store.read;
      const first = await pipelines.list(project.id, { limit: 2 });
      const second = await pipelines.list(project.id, { limit: 2, after: first.next ?? '' });
      const third = await pipelines.list(project.id, { limit: 2, after: second.next ?? '' });
      expect([first, second, third].map(({ items }) => items.map(({ number }) => number))).toEqual([
        [5, 4],
        [3, 2],
        [1],
      ]);
      expect(third.next).toBeNull();
      const numbers = async (filter: object) =>
        (await pipelines.list(project.id, { limit: 10, ...filter })).items.map(({ number }) => number);
      expect(await numbers({ branch: 'feature' })).toEqual([4, 2]);
      expect(await numbers({ status: ['failed', 'running'] })).toEqual([3]);
      expect(await numbers({ event: 'tag' })).toEqual([]);
    });

    it('change their status; an absent time stays, null clears', async () => {
      const { pipeline } = await aPipeline(workflowPlan('default', [stepPlan('a')]));
      const set = (change: Parameters<typeof store.read.pipelines.setStatus>[1]) =>
        store.write(({ pipelines }) => pipelines.setStatus(pipeline.id, change));
      await set({ status: 'running', startedAt: later(1) });
      await set({ status: 'passed', finishedAt: later(2) });
      expect(await store.read.pipelines.find(pipeline.id)).toMatchObject({
        status: 'passed',
        startedAt: later(1),
        finishedAt: later(2),
      });
      await set({ status: 'running', finishedAt: null });
      expect(await store.read.pipelines.find(pipeline.id)).toMatchObject({
        status: 'running',
        startedAt: later(1),
        finishedAt: undefined,
      });
    });

    it('tell whose time to be run again has come, and give it away once', async () => {
      const { pipeline } = await aPipeline(workflowPlan('default', [stepPlan('a')]));
      await store.write(({ pipelines }) => pipelines.scheduleRetry(pipeline.id, later(5)));
      expect(await store.read.pipelines.dueRetries(later(4))).not.toContain(pipeline.id);
      await store.write(({ pipelines }) => pipelines.scheduleRetry(pipeline.id, later(3)));
      expect(await store.read.pipelines.dueRetries(later(4))).toContain(pipeline.id);
      expect(await store.write(({ pipelines }) => pipelines.takeRetry(pipeline.id))).toBe(true);
      expect(await store.write(({ pipelines }) => pipelines.takeRetry(pipeline.id))).toBe(false);
      expect(await store.read.pipelines.dueRetries(later(9))).not.toContain(pipeline.id);
    });

    it('know who ran a workflow again last, and how far their token reached', async () => {
      const { project, workflows } = await aPipeline(workflowPlan('default', [stepPlan('a')]));
      const id = workflows[0]!.id;
      expect(await store.read.pipelines.rerunBy(id)).toBeUndefined();
      for (const tokenProjectIds of [[project.id], undefined]) {
        await store.write(({ pipelines }) => pipelines.noteRerun(id, { personId: project.ownerId, tokenProjectIds }));
        expect(await store.read.pipelines.rerunBy(id)).toEqual({ personId: project.ownerId, tokenProjectIds });
      }
    });

    it('change one thing of a workflow and leave the rest', async () => {
      const { workflows } = await aPipeline(workflowPlan('default', [stepPlan('a')]));
      const [workflow] = workflows;
      const id = workflow?.id ?? 0;
      const change = (more: object) => store.write(({ pipelines }) => pipelines.updateWorkflow({ id, ...more }));
      await change({ status: 'claimed', token: 1, runnerId: 'run_1' });
      await change({ status: 'running', startedAt: later(1) });
      const cancelCause = { kind: 'timed-out', timeoutMs: 60_000 } as const;
      await change({ cancelledBy: 'mei', cancelCause });
      await change({ isCancelFinal: true, retries: 1 });
      expect(await store.read.pipelines.findWorkflow(id)).toEqual({
        ...workflow,
        status: 'running',
        token: 1,
        runnerId: 'run_1',
        startedAt: later(1),
        cancelledBy: 'mei',
        cancelCause,
        isCancelFinal: true,
        retries: 1,
      });
      await change({
        status: 'queued',
        attempt: 2,
        runnerId: null,
        cancelledBy: null,
        cancelCause: null,
        isCancelFinal: false,
        retries: 0,
        startedAt: null,
        queuedAt: later(9),
      });
      expect(await store.read.pipelines.findWorkflow(id)).toEqual({
        ...workflow,
        attempt: 2,
        token: 1,
        queuedAt: later(9),
      });
    });

    it('know which workflows nobody has finished', async () => {
      const { workflows } = await aPipeline(
        workflowPlan('a', [stepPlan('a')]),
        workflowPlan('b', [stepPlan('b')]),
        workflowPlan('c', [], { dependsOn: ['a'] }),
      );
      await store.write(async ({ pipelines }) => {
        await pipelines.updateWorkflow({ id: workflows[0]?.id ?? 0, status: 'passed' });
        await pipelines.updateWorkflow({ id: workflows[1]?.id ?? 0, status: 'running' });
      });
      expect((await store.read.pipelines.openWorkflows()).map(({ name }) => name)).toEqual(['b', 'c']);
    });

    it('change many steps at once, each as it says, and a step twice in order', async () => {
      const plans = Array.from({ length: 30 }, (_, i) => stepPlan(`step-${i}`));
      const { pipeline, steps } = await aPipeline(workflowPlan('default', plans));
      const ids = steps.map(({ id }) => id);
      const [first = 0, second = 0, third = 0] = ids;
      const failure = { line: 12, lines: [{ number: 12, text: 'Error: 坏了 \u0000\u001b[31m' }] };
      await store.write(({ pipelines }) =>
        pipelines.updateSteps([
          ...ids.map((id): StepChange => ({ id, status: 'running', startedAt: later(1) })),
          { id: first, status: 'passed', outcome: { kind: 'exited', exitCode: 0 }, finishedAt: later(2) },
          { id: second, status: 'failed', outcome: { kind: 'exited', exitCode: 2 }, failure, finishedAt: later(3) },
        ]),
      );
      await store.write(({ pipelines }) => pipelines.updateSteps([{ id: third, status: 'skipped', reason: skipped }]));
      const now = await store.read.pipelines.stepsOf(steps[0]?.workflowId ?? 0, 1);
      expect(
        now.slice(0, 4).map(({ status, outcome, failure: shown, startedAt, finishedAt, reason }) => ({
          status,
          outcome,
          shown,
          startedAt,
          finishedAt,
          reason,
        })),
      ).toEqual([
        {
          status: 'passed',
          outcome: { kind: 'exited', exitCode: 0 },
          shown: undefined,
          startedAt: later(1),
          finishedAt: later(2),
          reason: undefined,
        },
        {
          status: 'failed',
          outcome: { kind: 'exited', exitCode: 2 },
          shown: failure,
          startedAt: later(1),
          finishedAt: later(3),
          reason: undefined,
        },
        {
          status: 'skipped',
          outcome: undefined,
          shown: undefined,
          startedAt: later(1),
          finishedAt: undefined,
          reason: skipped,
        },
        {
          status: 'running',
          outcome: undefined,
          shown: undefined,
          startedAt: later(1),
          finishedAt: undefined,
          reason: undefined,
        },
      ]);
      expect(await store.read.pipelines.steps(pipeline.id)).toEqual(now);
    });

    it('keep every attempt of their steps', async () => {
      const { pipeline, workflows, steps } = await aPipeline(
        workflowPlan('default', [stepPlan('a'), stepPlan('b', { skipped })]),
      );
      const [workflow] = workflows;
      if (!workflow) throw new Error('There is no workflow');
      const again: readonly Step[] = await store.write(async ({ pipelines }) => {
        await pipelines.updateWorkflow({ id: workflow.id, attempt: 2, status: 'queued' });
        return pipelines.createSteps({ ...workflow, attempt: 2 });
      });
      expect(again.map(({ name, attempt, status }) => [name, attempt, status])).toEqual([
        ['a', 2, 'waiting'],
        ['b', 2, 'skipped'],
      ]);
      expect(await store.read.pipelines.stepsOf(workflow.id, 2)).toEqual(again);
      expect(await store.read.pipelines.steps(pipeline.id)).toEqual([...steps, ...again]);
    });

    it('keep every decision, in order', async () => {
      const { pipeline } = await aPipeline(workflowPlan('default', [stepPlan('a')]));
      const matched: TraceEntry = { subject: { kind: 'event' }, rule: 'trigger.matched', verdict: 'ran', values: {} };
      await store.write(({ pipelines }) => pipelines.addTrace(pipeline.id, [matched, skipped], someTime));
      await store.write(({ pipelines }) => pipelines.addTrace(pipeline.id, [matched], later(1)));
      expect(await store.read.pipelines.trace(pipeline.id)).toEqual([
        { ...matched, at: someTime },
        { ...skipped, at: someTime },
        { ...matched, at: later(1) },
      ]);
    });
  });

  describe('secrets', () => {
    it('are there once they are sealed, byte for byte, and gone once removed', async () => {
      const mei = await createPerson(store, 'mei');
      const project = await createProject(store, mei.id, 'shop');
      const sealed = {
        keyId: 'key-1',
        wrappedKey: Buffer.from([0, 1, 255, 128]),
        nonce: Buffer.alloc(12, 7),
        ciphertext: Buffer.from('\u0000秘密', 'utf8'),
      };
      const holder = { kind: 'project', id: project.id } as const;
      const limits = {
        events: ['push', 'tag', 'pull_request'],
        pullRequests: 'project' as const,
        branches: ['main', 'v*'],
        images: ['plugins/*'],
        isForPluginsOnly: true,
      };
      const reserved = await store.write(({ secrets }) => secrets.reserve(holder, 'Deploy_Key', someTime, 'mei'));
      expect(await store.read.secrets.list(holder)).toEqual([]);
      expect(await store.read.secrets.find(holder, 'deploy_key')).toBeUndefined();
      expect((await store.write(({ secrets }) => secrets.reserve(holder, 'DEPLOY_KEY', later(1), 'bo'))).id).toBe(
        reserved.id,
      );
      await store.write(({ secrets }) => secrets.setSealed(reserved.id, sealed, limits, later(2), 'bo'));
      const found = await store.read.secrets.find(holder, 'DEPLOY_KEY');
      expect(found).toEqual({
        id: reserved.id,
        holder,
        name: 'deploy_key',
        ...limits,
        createdAt: someTime,
        updatedAt: later(2),
        updatedBy: 'bo',
        sealed,
      });
      expect(Buffer.isBuffer(found?.sealed.ciphertext)).toBe(true);
      expect(await store.read.secrets.list(holder)).toHaveLength(1);
      expect(await store.write(({ secrets }) => secrets.remove(holder, 'Deploy_Key'))).toBe(true);
      expect(await store.write(({ secrets }) => secrets.remove(holder, 'Deploy_Key'))).toBe(false);
    });

    it('of an organisation count for its projects, which may have their own of the same name', async () => {
      const mei = await createPerson(store, 'mei');
      const team = await store.write(({ organisations }) =>
        organisations.create({ name: 'team', displayName: '', createdAt: someTime }),
      );
      const [web, api] = [await createProject(store, team.id, 'web'), await createProject(store, team.id, 'api')];
      const alone = await createProject(store, mei.id, 'alone');
      const sealed = (text: string) => ({
        keyId: 'k',
        wrappedKey: Buffer.alloc(1),
        nonce: Buffer.alloc(1),
        ciphertext: Buffer.from(text),
      });
      const limits = {
        events: ['push'],
        pullRequests: 'none' as const,
        branches: [],
        images: [],
        isForPluginsOnly: false,
      };
      const set = (holder: Holder, name: string, text: string) =>
        store.write(async ({ secrets }) => {
          const { id } = await secrets.reserve(holder, name, someTime, 'mei');
          await secrets.setSealed(id, sealed(text), limits, someTime, 'mei');
        });
      const organisation: Holder = { kind: 'organisation', id: team.id };
      await set(organisation, 'shared', 'of the team');
      await set(organisation, 'token', 'of the team');
      await set({ kind: 'project', id: web.id }, 'token', 'of web');
      const seenBy = async (projectId: number) =>
        (await store.read.secrets.listFor(projectId)).map((secret) => [
          secret.name,
          secret.sealed.ciphertext.toString(),
        ]);
      expect(await seenBy(web.id)).toEqual([
        ['shared', 'of the team'],
        ['token', 'of web'],
      ]);
      expect(await seenBy(api.id)).toEqual([
        ['shared', 'of the team'],
        ['token', 'of the team'],
      ]);
      expect(await seenBy(alone.id)).toEqual([]);
      expect((await store.read.secrets.list(organisation)).map(({ name, holder }) => [name, holder])).toEqual([
        ['shared', organisation],
        ['token', organisation],
      ]);
      expect(await store.write(({ secrets }) => secrets.remove(organisation, 'token'))).toBe(true);
      expect(await seenBy(web.id)).toContainEqual(['token', 'of web']);
      await store.write(({ secrets }) => secrets.reserve({ kind: 'project', id: api.id }, 'shared', someTime, 'mei'));
      expect(await seenBy(api.id)).toEqual([['shared', 'of the team']]);
    });
  });

  describe('variables', () => {
    it('keep their case; those of a project win over those of its organisation', async () => {
      const team = await store.write(({ organisations }) =>
        organisations.create({ name: 'team', displayName: '', createdAt: someTime }),
      );
      const [web, api] = [await createProject(store, team.id, 'web'), await createProject(store, team.id, 'api')];
      const organisation: Holder = { kind: 'organisation', id: team.id };
      const own: Holder = { kind: 'project', id: web.id };
      const set = (holder: Holder, name: string, value: string) =>
        store.write(({ variables }) => variables.set(holder, { name, value, updatedAt: someTime, updatedBy: 'mei' }));
      await set(organisation, 'REGION', 'eu');
      await set(organisation, 'Region', 'lower');
      await set(own, 'REGION', 'cn');
      await set(own, 'REGION', 'cn-2');
      expect(await store.read.variables.valuesFor(web.id)).toEqual({ REGION: 'cn-2', Region: 'lower' });
      expect(await store.read.variables.valuesFor(api.id)).toEqual({ REGION: 'eu', Region: 'lower' });
      expect(await store.read.variables.list(own)).toEqual([
        { name: 'REGION', value: 'cn-2', updatedAt: someTime, updatedBy: 'mei' },
      ]);
      expect(await store.write(({ variables }) => variables.remove(own, 'REGION'))).toBe(true);
      expect(await store.write(({ variables }) => variables.remove(own, 'REGION'))).toBe(false);
      expect(await store.read.variables.valuesFor(web.id)).toEqual({ REGION: 'eu', Region: 'lower' });
    });
  });

  describe('logins of registries', () => {
    it('are there once they are sealed; those of a project win over those of its organisation', async () => {
      const team = await store.write(({ organisations }) =>
        organisations.create({ name: 'team', displayName: '', createdAt: someTime }),
      );
      const web = await createProject(store, team.id, 'web');
      const organisation: Holder = { kind: 'organisation', id: team.id };
      const own: Holder = { kind: 'project', id: web.id };
      const set = (holder: Holder, registry: string, username: string) =>
        store.write(async ({ registryLogins }) => {
          const { id } = await registryLogins.reserve(holder, registry, someTime, 'mei');
          const sealed = {
            keyId: 'k',
            wrappedKey: Buffer.from([255]),
            nonce: Buffer.alloc(1),
            ciphertext: Buffer.from('密'),
          };
          await registryLogins.setSealed(id, { username, pullRequests: 'project' }, sealed, later(1), 'bo');
        });
      await store.write(({ registryLogins }) => registryLogins.reserve(own, 'b.example:5000', someTime, 'mei'));
      expect(await store.read.registryLogins.list(own)).toEqual([]);
      await set(organisation, 'a.example', 'team');
      await set(organisation, 'b.example:5000', 'team');
      await set(own, 'b.example:5000', 'web');
      const all = await store.read.registryLogins.listFor(web.id);
      expect(all.map(({ registry, username, holder }) => [registry, username, holder.kind])).toEqual([
        ['a.example', 'team', 'organisation'],
        ['b.example:5000', 'web', 'project'],
      ]);
      expect(all[1]?.sealed.ciphertext.toString()).toBe('密');
      expect((await store.read.registryLogins.list(own))[0]).toMatchObject({ updatedAt: later(1), updatedBy: 'bo' });
      expect(await store.write(({ registryLogins }) => registryLogins.remove(own, 'b.example:5000'))).toBe(true);
      expect((await store.read.registryLogins.listFor(web.id))[1]?.username).toBe('team');
    });
  });

  describe('settings of pipelines', () => {
    it('of a project are the default ones until they are changed', async () => {
      const mei = await createPerson(store, 'mei');
      const project = await createProject(store, mei.id, 'shop');
      const found = await store.read.projects.find(project.id);
      expect(found?.pipelines).toEqual(defaultPipelineSettings);
      const pipelines = {
        ...defaultPipelineSettings,
        path: 'ci/',
        disabledEvents: ['tag'],
        timeoutMs: 60_000,
        promotionRules: [{ target: 'prod*', role: 'admin' }],
      } as const;
      await store.write(({ projects }) => projects.update({ ...found!, pipelines }));
      expect((await store.read.projects.findBySlug('mei', 'shop'))?.pipelines).toEqual(pipelines);
    });
  });

  describe('happenings', () => {
    const tell = (personId: number, at: Date) =>
      store.write(({ happenings }) => happenings.append([{ type: 'access-changed', personId }], at));

    it('are replayed after a point, oldest first', async () => {
      for (const n of [1, 2, 3]) await tell(n, later(n));
      const all = (await store.read.happenings.since(0, 10)) ?? [];
      expect(all.map(({ happening }) => happening)).toEqual(
        [1, 2, 3].map((personId) => ({ type: 'access-changed', personId })),
      );
      const [first] = all;
      expect(await store.read.happenings.since(first?.sequence ?? 0, 1)).toEqual([all[1]]);
      expect(await store.read.happenings.lastSequence()).toBe(all[2]?.sequence);
    });

    it('that are no longer kept, or were never given, are said to be unknown', async () => {
      for (const n of [1, 2, 3]) await tell(n, later(n));
      const last = await store.read.happenings.lastSequence();
      await store.write(({ happenings }) => happenings.prune(later(3)));
      expect(await store.read.happenings.since(0, 10)).toBeUndefined();
      expect(await store.read.happenings.since(last - 1, 10)).toHaveLength(1);
      expect(await store.read.happenings.since(last + 1, 10)).toBeUndefined();

      await store.write(({ happenings }) => happenings.prune(later(100)));
      expect(await store.read.happenings.lastSequence()).toBe(last);
      expect(await store.read.happenings.since(last, 10)).toEqual([]);
      await tell(4, later(200));
      expect(await store.read.happenings.lastSequence()).toBeGreaterThan(last);
    });
  });

  describe('idempotency keys', () => {
    const key = { personId: 1, operation: 'startPipeline', key: 'abc' };
    const claim = (hash: string) => store.write(({ idempotency }) => idempotency.claim(key, hash, someTime));

    it('are claimed once; the same request gets the same answer, another one none', async () => {
      expect(await claim('h1')).toEqual({ state: 'new' });
      expect(await claim('h1')).toEqual({ state: 'in-flight' });
      expect(await claim('h2')).toEqual({ state: 'different' });
      await store.write(({ idempotency }) => idempotency.settle(key, 202, '{"number":1}'));
      expect(await claim('h1')).toEqual({ state: 'same', status: 202, body: '{"number":1}' });
      expect(await claim('h2')).toEqual({ state: 'different' });
    });

    it('may be used again after a release, and when they are forgotten', async () => {
      await claim('h1');
      await store.write(({ idempotency }) => idempotency.release(key));
      expect(await claim('h2')).toEqual({ state: 'new' });
      await store.write(({ idempotency }) => idempotency.settle(key, 200, ''));
      await store.write(({ idempotency }) => idempotency.release(key));
      expect(await claim('h2')).toMatchObject({ state: 'same' });
      await store.write(({ idempotency }) => idempotency.prune(later(1)));
      expect(await claim('h3')).toEqual({ state: 'new' });
    });
  });

  describe('settings', () => {
    it('are set, replaced and taken away', async () => {
      await store.write(({ settings }) => settings.set('instance', 'a'));
      await store.write(({ settings }) => settings.set('instance', 'b'));
      expect(await store.read.settings.get('instance')).toBe('b');
      await store.write(({ settings }) => settings.set('instance', undefined));
      expect(await store.read.settings.get('instance')).toBeUndefined();
    });
  });
});
