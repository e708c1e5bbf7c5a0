import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { planOf, stepPlan, workflowPlan } from '../../test/support/plans.ts';
import { StreamReader } from '../../test/support/read-stream.ts';
import { bearer, cookie, openServerWorld, type ServerWorld } from '../../test/support/server-world.ts';
import type { Happening } from '../core/events.ts';
import type { Person } from '../core/person.ts';
import type { Project } from '../core/project.ts';

let world: ServerWorld;
let mei: Person;
let web: Project;
let token: string;
const open: StreamReader[] = [];

beforeEach(async () => {
  world = await openServerWorld();
  mei = await world.person('mei');
  web = await world.project('mei', 'web');
  token = await world.token(mei);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((reader) => reader.close()));
  await world.close();
});

async function watch(
  topics: string,
  headers: Record<string, string> = bearer(token),
  more = '',
): Promise<StreamReader> {
  const response = await world.request(`/api/v1/stream?topics=${encodeURIComponent(topics)}${more}`, { headers });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('x-accel-buffering')).toBe('no');
  const reader = new StreamReader(response);
  open.push(reader);
  return reader;
}

function happen(...happenings: Happening[]): Promise<void> {
  return world.store.write((stores) => stores.happenings.append(happenings, world.clock.now()));
}

const pushed = (project: Project, ref: string): Happening => ({
  type: 'push-received',
  projectId: project.id,
  eventId: 1,
  ref,
  after: '0'.repeat(40),
});

/** A pipeline with one step, as the planner stores it. */
async function addPipeline(project: Project): Promise<{ id: number; number: number; stepId: number }> {
  return world.store.write(async (stores) => {
    const number = await stores.pipelines.nextNumber(project.id);
    const at = world.clock.now();
    const { event } = await stores.events.create({
      projectId: project.id,
      kind: 'manual',
      key: `manual:${project.id}:${number}`,
      ref: 'refs/heads/main',
      before: '0'.repeat(40),
      after: '1'.repeat(40),
      personName: 'mei',
      parameters: {},
      createdAt: at,
    });
    const created = await stores.pipelines.create(
      {
        projectId: project.id,
        expectedNumber: number,
        eventId: event.id,
        event: 'manual',
        status: 'queued',
        ref: 'refs/heads/main',
        branch: 'main',
        commit: '1'.repeat(40),
        before: '0'.repeat(40),
        message: 'x',
        authorName: 'mei',
        authorEmail: '',
        personName: 'mei',
        parameters: {},
        path: '.gantry.yml',
        dialect: 'gantry',
        createdAt: at,
      },
      planOf(workflowPlan('default', [stepPlan('test')])),
    );
    return { id: created!.pipeline.id, number, stepId: created!.steps[0]!.id };
  });
}

const piece = (stepId: number, offset: number, text: string, isEnd = false) => ({
  stepId,
  offset,
  bytes: Buffer.from(text),
  isEnd,
});

describe('the event stream', () => {
  it('tells what happens in a project, by its name and without internal ids', async () => {
    const stream = await watch('project:mei/web');
    const { sequence, refused } = await stream.expect('ready');
    expect(refused).toEqual([]);
    await happen(pushed(web, 'refs/heads/main'));
    expect(await stream.next()).toEqual({
      name: 'happening',
      id: String(sequence + 1),
      data: {
        sequence: sequence + 1,
        at: '2026-11-25T12:00:00.000Z',
        type: 'push-received',
        ref: 'refs/heads/main',
        after: '0'.repeat(40),
        project: 'mei/web',
      },
    });
    expect(stream.quiet[0]).toBe('retry: 2000');
  });

  it('tells of steps only those who watch their pipeline', async () => {
    const one = await addPipeline(web);
    const two = await addPipeline(web);
    const stream = await watch(`pipeline:mei/web/${one.number}`);
    const project = await watch('project:mei/web');
    await stream.expect('ready');
    await project.expect('ready');
    const step = (pipeline: typeof one): Happening => ({
      type: 'step-changed',
      projectId: web.id,
      pipelineId: pipeline.id,
      number: pipeline.number,
      workflow: 'default',
      stepId: pipeline.stepId,
      step: 'test',
      status: 'running',
    });
    await happen(step(two), step(one), pushed(web, 'refs/heads/x'));
    expect(await stream.expect('happening')).toMatchObject({ type: 'step-changed', number: one.number });
    expect(await project.expect('happening')).toMatchObject({ type: 'push-received' });
  });

  it('tells viewers of all projects only of those that they may see', async () => {
    const eve = await world.person('eve');
    const theirs = await world.project('eve', 'api');
    const stream = await watch('projects');
    await stream.expect('ready');
    const changed = (project: Project, slug: string): Happening => ({
      type: 'project-changed',
      projectId: project.id,
      slug,
    });
    await happen(changed(theirs, 'eve/api'), changed(web, 'mei/web'));
    expect(await stream.expect('happening')).toMatchObject({ project: 'mei/web' });
    await world.setRole(theirs, mei, 'read');
    await happen(changed(theirs, 'eve/api'));
    expect(await stream.expect('happening')).toMatchObject({ project: 'eve/api' });
    expect(eve.name).toBe('eve');
  });

  it('replays what a viewer missed, by the header and by the parameter', async () => {
    const before = await world.store.read.happenings.lastSequence();
    await happen(pushed(web, 'refs/heads/a'), pushed(web, 'refs/heads/b'));
    for (const [headers, more] of [
      [{ ...bearer(token), 'Last-Event-ID': String(before) }, '&after=999999'],
      [bearer(token), `&after=${before}`],
    ] as const) {
      const stream = await watch('project:mei/web', headers, more);
      expect(await stream.expect('ready')).toMatchObject({ sequence: before });
      await happen(pushed(web, 'refs/heads/live'));
      expect(await stream.expect('happening')).toMatchObject({ ref: 'refs/heads/a' });
      expect(await stream.expect('happening')).toMatchObject({ ref: 'refs/heads/b' });
      expect(await stream.expect('happening')).toMatchObject({ ref: 'refs/heads/live' });
    }
  });

  it('loses and repeats nothing between replay and live, however long both are', async () => {
    const before = await world.store.read.happenings.lastSequence();
    const many = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => pushed(web, `refs/heads/${from + i}`));
    await happen(...many(0, 1_700));
    const stream = await watch('project:mei/web', bearer(token), `&after=${before}`);
    const writing = (async () => {
      for (let from = 1_700; from < 4_000; from += 100) await happen(...many(from, 100));
    })();
    await stream.expect('ready');
    for (let i = 0; i < 4_000; i += 1)
      expect(await stream.expect('happening')).toMatchObject({ ref: `refs/heads/${i}` });
    await writing;
  });

  it('tells a viewer to begin anew when what it missed is no longer kept', async () => {
    await happen(pushed(web, 'refs/heads/old'));
    world.clock.advance(25 * 3_600_000);
    await world.store.write((stores) =>
      stores.happenings.prune(new Date(world.clock.now().getTime() - 24 * 3_600_000)),
    );
    const stream = await watch('project:mei/web', bearer(token), '&after=0');
    await stream.expect('ready');
    await stream.expect('reset');
    await happen(pushed(web, 'refs/heads/new'));
    expect(await stream.expect('happening')).toMatchObject({ ref: 'refs/heads/new' });
  });

  it('stops telling the moment that a right is withdrawn', async () => {
    const reader = await world.person('li');
    await world.setRole(web, reader, 'read');
    const stream = await watch('project:mei/web,projects', bearer(await world.token(reader)));
    await stream.expect('ready');
    await happen(pushed(web, 'refs/heads/seen'));
    expect(await stream.expect('happening')).toMatchObject({ ref: 'refs/heads/seen' });
    await world.setRole(web, reader, undefined);
    await happen(pushed(web, 'refs/heads/hidden'));
    const open = await world.project('mei', 'open', { visibility: 'public' });
    await happen({ type: 'project-changed', projectId: open.id, slug: 'mei/open' });
    // `members-changed` itself came after the withdrawal too.
    expect(await stream.expect('happening')).toMatchObject({ project: 'mei/open' });
  });

  it.each(['token', 'session'] as const)('ends when the %s that opened it is revoked', async (via) => {
    const session = await world.session(mei);
    const headers = via === 'token' ? bearer(token) : cookie(session);
    const stream = await watch('project:mei/web', headers);
    await stream.expect('ready');
    if (via === 'session') await world.request('/api/v1/session', { method: 'DELETE', headers });
    else {
      const { items } = (await world.json('/api/v1/me/tokens', { headers })) as { items: { id: string }[] };
      await world.request(`/api/v1/me/tokens/${items[0]!.id}`, { method: 'DELETE', headers });
    }
    expect(await stream.expect('end')).toEqual({ reason: 'access-withdrawn' });
    expect(await stream.next()).toBeUndefined();
  });

  it('ends when its token expires, and pings while it is silent', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const stream = await watch('project:mei/web');
      const { sequence } = await stream.expect('ready');
      const ending = stream.next();
      world.clock.advance(16_000);
      await vi.advanceTimersByTimeAsync(3_000);
      await vi.waitFor(() => expect(stream.quiet).toContain(`: ping\nid: ${sequence}`));
      world.clock.advance(90 * 24 * 3_600_000);
      await vi.advanceTimersByTimeAsync(3_000);
      expect((await ending)?.data).toEqual({ reason: 'access-withdrawn' });
    } finally {
      vi.useRealTimers();
    }
  });

  it('ends when the server stops, and is not opened any more', async () => {
    const stream = await watch('project:mei/web');
    await stream.expect('ready');
    world.stopping.abort();
    expect(await stream.expect('end')).toEqual({ reason: 'stopping' });
    const response = await world.request('/api/v1/stream?topics=project:mei/web', { headers: bearer(token) });
    expect(response.status).toBe(503);
  });

  it('refuses what one may not watch, and says which topics of several', async () => {
    const theirs = await world.project((await world.person('eve')).name, 'api');
    const { number, stepId } = await addPipeline(theirs);
    const mine = await addPipeline(web);
    const refuse = async (topics: string, headers = bearer(token)) => {
      const response = await world.request(`/api/v1/stream?topics=${encodeURIComponent(topics)}`, { headers });
      return [response.status, ((await response.json()) as { code: string }).code];
    };
    expect(await refuse('project:eve/api')).toEqual([404, 'PROJECT_NOT_FOUND']);
    expect(await refuse(`pipeline:eve/api/${number}`)).toEqual([404, 'PROJECT_NOT_FOUND']);
    expect(await refuse(`log:eve/api/${number}/${stepId}@0`)).toEqual([404, 'PROJECT_NOT_FOUND']);
    // The step of another project under the name of one's own pipeline.
    expect(await refuse(`log:mei/web/${mine.number}/${stepId}@0`)).toEqual([404, 'STEP_NOT_FOUND']);
    expect(await refuse('pipeline:mei/web/99')).toEqual([404, 'PIPELINE_NOT_FOUND']);
    expect(await refuse('project:mei/web', bearer(await world.token(mei, ['pipeline:write'])))).toEqual([
      403,
      'SCOPE_MISSING',
    ]);
    expect(await refuse('')).toEqual([400, 'REQUEST_INVALID']);
    expect(await refuse('secrets:mei/web')).toEqual([400, 'REQUEST_INVALID']);

    const stream = await watch('project:mei/web,project:eve/api');
    expect(await stream.expect('ready')).toMatchObject({ refused: ['project:eve/api'] });
  });

  it('is opened a hundred times by one person, and not once more', async () => {
    for (let i = 0; i < 100; i += 1) await watch('projects');
    const more = () => world.request('/api/v1/stream?topics=projects', { headers: bearer(token) });
    const refused = await more();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5']);
    // Another person, and a stranger, have their own.
    await watch('projects', bearer(await world.token(await world.person('li'))));
    await watch('projects', {});
    await open.pop()?.close();
    await open.shift()?.close();
    expect((await more()).status).toBe(200);
  });

  it('is not held open by a HEAD request', async () => {
    const { number, stepId } = await addPipeline(web);
    for (let i = 0; i < 150; i += 1) {
      const response = await world.request(`/api/v1/stream?topics=log:mei/web/${number}/${stepId}@0`, {
        method: 'HEAD',
        headers: bearer(token),
      });
      expect(response.status).toBe(200);
    }
    expect(world.logs.countOf(stepId)).toBe(0);
  });

  it('is not opened with a cookie for the page of another site', async () => {
    const headers = cookie(await world.session(mei));
    for (const foreign of [
      { Origin: 'https://evil.example' },
      { 'Sec-Fetch-Site': 'cross-site' },
      { Origin: 'null' },
    ]) {
      const response = await world.request('/api/v1/stream?topics=projects', {
        headers: { ...headers, ...(foreign as Record<string, string>) },
      });
      expect(response.status).toBe(403);
    }
    await watch('projects', { ...headers, 'Sec-Fetch-Site': 'same-origin' });
  });
});

describe('a log in the event stream', () => {
  it('comes at once and in order, with its end mark, and without what the viewer has', async () => {
    const { number, stepId } = await addPipeline(web);
    const stream = await watch(`log:mei/web/${number}/${stepId}@6`);
    await stream.expect('ready');
    world.logs.publish(piece(stepId, 0, 'first\n'));
    world.logs.publish(piece(stepId, 6, 'second\n'));
    world.logs.publish(piece(stepId, 13, 'third\n'));
    world.logs.publish(piece(stepId, 19, '', true));
    let text = '';
    for (let isEnd = false; !isEnd; ) {
      const log = await stream.expect('log');
      expect(log.offset).toBe(6 + text.length);
      text += Buffer.from(log.text, 'base64').toString();
      isEnd = log.end;
    }
    expect(text).toBe('second\nthird\n');
  });

  it('is bounded for a slow viewer, who is told where to fetch on and hears of the end', async () => {
    const { number, stepId } = await addPipeline(web);
    const stream = await watch(`log:mei/web/${number}/${stepId}@0`);
    await stream.expect('ready');
    const part = 'x'.repeat(8_192);
    let offset = 0;
    for (; offset < 64 * 1024 * 1024; offset += part.length) world.logs.publish(piece(stepId, offset, part));
    world.logs.publish(piece(stepId, offset, '', true));
    let receivedBytes = 0;
    let seen = 0;
    let gapAt: number | undefined;
    for (;;) {
      const event = await stream.next();
      if (event?.name === 'log-gap') {
        gapAt = (event.data as { offset: number }).offset;
        continue;
      }
      const log = event!.data as { offset: number; text: string; end: boolean };
      if (log.end) {
        expect(log.offset).toBe(offset);
        break;
      }
      expect(log.offset).toBe(seen);
      receivedBytes += log.text.length;
      seen = log.offset + Buffer.from(log.text, 'base64').length;
    }
    expect(gapAt).toBe(seen);
    expect(receivedBytes).toBeLessThan(512 * 1024);
  });

  it('is let go when its last viewer leaves', async () => {
    const { number, stepId } = await addPipeline(web);
    const one = await watch(`log:mei/web/${number}/${stepId}@0`);
    const two = await watch(`log:mei/web/${number}/${stepId}@0`);
    expect(world.logs.countOf(stepId)).toBe(1);
    await one.close();
    expect(world.logs.countOf(stepId)).toBe(1);
    await two.close();
    expect(world.logs.countOf(stepId)).toBe(0);
  });

  it('stops when the right to it is withdrawn', async () => {
    const { number, stepId } = await addPipeline(web);
    const open = await world.project('mei', 'open', { visibility: 'public' });
    const li = await world.person('li');
    await world.setRole(web, li, 'read');
    const stream = await watch(`log:mei/web/${number}/${stepId}@0,projects`, bearer(await world.token(li)));
    await stream.expect('ready');
    world.logs.publish(piece(stepId, 0, 'seen'));
    expect(await stream.expect('log')).toMatchObject({ offset: 0 });
    await world.setRole(web, li, undefined);
    // An end mark waits for nothing: it would be the next to come.
    world.logs.publish(piece(stepId, 4, 'hidden', true));
    await happen({ type: 'project-changed', projectId: open.id, slug: 'mei/open' });
    expect(await stream.expect('happening')).toMatchObject({ project: 'mei/open' });
  });
});
