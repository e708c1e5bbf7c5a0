import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openServerWorld, type ServerWorld } from '../../../../test/support/server-world.ts';
import { createEvent, newPipeline } from '../../../../test/support/store-world.ts';
import type { Person } from '../../../core/person.ts';
import type { NewPipeline } from '../../../core/pipeline.ts';
import type { Project } from '../../../core/project.ts';
import type { Visibility } from '../../../core/visibility.ts';
import { badgeRoutes } from './badge-routes.ts';
import { badgeSvg } from './badge-svg.ts';

let world: ServerWorld;
let mei: Person;
let project: Project;
let pipelines = 0;

beforeEach(async () => {
  pipelines = 0;
  world = await openServerWorld({ routes: (store) => badgeRoutes({ store }) });
  mei = await world.person('mei');
});
afterEach(() => world.close());

async function have(visibility: Visibility): Promise<void> {
  project = await world.project('mei', 'shop', { visibility });
}

async function ran(more: Partial<NewPipeline> = {}): Promise<void> {
  pipelines += 1;
  const event = await createEvent(world.store, project.id, `e${pipelines}`);
  await world.store.write(({ pipelines: store }) =>
    store.create(newPipeline(event, pipelines, { status: 'passed', ...more }), {
      dialect: 'gantry',
      path: '.gantry.yml',
      workflows: [],
    }),
  );
}

const badge = (query = '', headers: Record<string, string> = {}) =>
  world.request(`/api/v1/projects/mei/shop/badge.svg${query}`, { headers });

describe('a badge', () => {
  it('shows how the newest pipeline of the default branch stands, as a picture with a title', async () => {
    await have('public');
    expect(await (await badge()).text()).toContain('<title>Pipeline of main: no pipeline</title>');
    await ran();
    await ran({ status: 'failed' });
    const response = await badge();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('image/svg+xml; charset=utf-8');
    expect(response.headers.get('cache-control')).toContain('no-cache');
    expect(response.headers.get('cross-origin-resource-policy')).toBe('cross-origin');
    const svg = await response.text();
    expect(svg).toContain('<title>Pipeline of main: failed</title>');
    expect(svg).toContain('role="img"');
    expect(svg).not.toMatch(/style=|<style|<script|href/);
    expect(await (await badge('?lang=zh')).text()).toContain('<title>main 分支的流水线：失败</title>');
  });

  it('is of one branch: neither a tag of its name, nor another branch, nor a promotion changes it', async () => {
    await have('public');
    await ran();
    await ran({ status: 'failed', ref: 'refs/tags/main', event: 'tag' });
    await ran({ status: 'failed', ref: 'refs/heads/dev', branch: 'dev' });
    await ran({ status: 'failed', event: 'promote', target: 'production' });
    expect(await (await badge()).text()).toContain('Pipeline of main: passed');
    expect(await (await badge('?branch=dev')).text()).toContain('Pipeline of dev: failed');
    expect(await (await badge('?branch=gone')).text()).toContain('Pipeline of gone: no pipeline');
  });

  it('is asked for each time, and is not sent again while it is the same', async () => {
    await have('public');
    await ran();
    const etag = (await badge()).headers.get('etag')!;
    const same = await badge('', { 'If-None-Match': etag });
    expect([same.status, await same.text()]).toEqual([304, '']);
    await ran({ status: 'running' });
    expect((await badge('', { 'If-None-Match': etag })).status).toBe(200);
  });

  it('of a private project is for those who may read it, and for no other site', async () => {
    await have('private');
    expect((await badge()).status).toBe(404);
    const token = await world.token(mei, ['pipeline:read']);
    const response = await badge('', { Authorization: `Bearer ${token}` });
    expect(response.status).toBe(200);
    expect(response.headers.get('cross-origin-resource-policy')).toBe('same-origin');
    const other = await world.token(await world.person('bo'), ['*']);
    expect((await badge('', { Authorization: `Bearer ${other}` })).status).toBe(404);
  });

  it('has nothing of a branch in it that an XML reader would take for its own', async () => {
    const svg = badgeSvg('passed', `"><script>alert(1)</script>&'\u0007`, 'en');
    expect(svg).not.toContain('<script>');
    expect(svg).toContain('&#34;&#62;&#60;script&#62;');
    await have('public');
    expect((await badge(`?branch=${'x'.repeat(300)}`)).status).toBe(400);
  });
});
