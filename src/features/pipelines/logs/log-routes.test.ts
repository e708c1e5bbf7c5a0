import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { assignmentOf, stepPlan } from '../../../../test/support/protocol-server.ts';
import { bearer, openServerWorld, type ServerWorld } from '../../../../test/support/server-world.ts';
import type { Step } from '../../../core/pipeline.ts';
import { FilesystemLogs } from '../../../drivers/logs/filesystem/filesystem-logs.ts';
import type { LogWriter } from '../../../drivers/logs/logs.ts';
import { StepLogs } from '../step-logs.ts';
import { parseByteRange } from './byte-range.ts';
import { logRoutes } from './log-routes.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function world() {
  const folder = await mkdtemp(join(tmpdir(), 'log-routes-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const logs = new FilesystemLogs(folder);
  cleanups.push(() => logs.close());
  const stepLogs = new StepLogs(logs);
  let server: ServerWorld | undefined;
  const store = {
    get read() {
      return server!.store.read;
    },
  };
  server = await openServerWorld({ routes: logRoutes({ store, logs, logBus: stepLogs }) });
  cleanups.push(() => server!.close());
  const { clock } = server;
  const ada = await server.person('ada');
  const project = await server.project('ada', 'hello');
  const steps = await server.store.write(async (stores) => {
    const at = clock.now();
    const { event } = await stores.events.create({
      projectId: project.id,
      kind: 'push',
      key: 'k1',
      ref: 'refs/heads/main',
      before: '0'.repeat(40),
      after: '1'.repeat(40),
      personName: 'ada',
      parameters: {},
      createdAt: at,
    });
    const created = await stores.pipelines.create(
      {
        projectId: project.id,
        eventId: event.id,
        event: 'push',
        status: 'queued',
        ref: 'refs/heads/main',
        branch: 'main',
        commit: '1'.repeat(40),
        before: '0'.repeat(40),
        message: 'First',
        authorName: 'Ada',
        authorEmail: 'ada@example.org',
        personName: 'ada',
        parameters: {},
        path: '.gantry.yml',
        dialect: 'gantry',
        createdAt: at,
        expectedNumber: 1,
      },
      {
        dialect: 'gantry',
        path: '.gantry.yml',
        workflows: [assignmentOf([stepPlan('unit "tests"'), stepPlan('later')]).plan],
      },
    );
    return created!.steps;
  });
  const headers = bearer(await server.token(ada));
  const path = (step: Step): string => `/api/v1/projects/ada/hello/pipelines/1/steps/${step.id}/log`;
  const get = (step: Step, query = '', more: Record<string, string> = {}): Promise<Response> =>
    server.request(`${path(step)}${query}`, { headers: { ...headers, ...more } });
  const end = async (step: Step): Promise<void> => {
    await server.store.write((stores) => stores.pipelines.updateSteps([{ id: step.id, status: 'skipped' }]));
  };
  let sequence = 0;
  const write = async (step: Step, text: string): Promise<void> => {
    sequence += 1;
    await stepLogs.append({ stepId: step.id, sequence, stream: 'stdout', atMs: 0 }, Buffer.from(text));
  };
  const endLog = (step: Step): Promise<number> => stepLogs.end(step.id, sequence + 1, false);
  return { server, logs, step: steps[0]!, later: steps[1]!, get, path, write, end, endLog, headers };
}

describe('the log route', () => {
  it('gives the bytes as plain text and never as anything else', async () => {
    const { get, step, write, endLog } = await world();
    const hostile = '<script>alert(1)</script>\u001b[31m\u0000\n';
    await write(step, hostile);
    await endLog(step);
    const response = await get(step);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(hostile);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining('sandbox') as string,
      'content-length': String(Buffer.byteLength(hostile)),
    });
  });

  it('is saved under a harmless name on request', async () => {
    const { get, step, write } = await world();
    await write(step, 'x');
    expect((await get(step, '?download=1')).headers.get('content-disposition')).toBe(
      'attachment; filename="hello-1-unit_tests_-1.log"',
    );
  });

  it('gives parts, and refuses those that are not there', async () => {
    const { get, step, write } = await world();
    await write(step, '0123456789');
    const part = await get(step, '', { Range: 'bytes=2-4' });
    expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([206, 'bytes 2-4/10', '234']);
    const tail = await get(step, '', { Range: 'bytes=-3' });
    expect([tail.status, await tail.text()]).toEqual([206, '789']);
    const none = await get(step, '', { Range: 'bytes=10-' });
    expect([none.status, none.headers.get('content-range')]).toEqual([416, 'bytes */10']);
    expect((await get(step, '', { Range: 'lines=1-2' })).status).toBe(200);
  });

  it('names a log that has ended by an ETag, and none before', async () => {
    const { get, step, write, endLog } = await world();
    await write(step, 'x');
    const before = await get(step);
    expect([before.headers.get('etag'), before.headers.get('cache-control')]).toEqual([null, 'no-store']);
    await endLog(step);
    const etag = (await get(step)).headers.get('etag')!;
    const again = await get(step, '', { 'If-None-Match': `"other", ${etag}` });
    expect([again.status, await again.text()]).toEqual([304, '']);
  });

  it('says what is not there', async () => {
    const { get, step, server, headers } = await world();
    const code = async (response: Response): Promise<unknown> => ((await response.json()) as { code: string }).code;
    expect(await code(await get(step))).toBe('LOG_NOT_FOUND');
    const at = (path: string): Promise<Response> => server.request(`/api/v1/projects/${path}`, { headers });
    expect(await code(await at(`ada/hello/pipelines/1/steps/999999/log`))).toBe('STEP_NOT_FOUND');
    expect(await code(await at(`ada/hello/pipelines/1/steps/x/log`))).toBe('STEP_NOT_FOUND');
    expect(await code(await at(`ada/hello/pipelines/2/steps/${step.id}/log`))).toBe('PIPELINE_NOT_FOUND');
    expect(await code(await at(`ada/nope/pipelines/1/steps/${step.id}/log`))).toBe('PROJECT_NOT_FOUND');
  });

  it('hides the logs of a private project, and a step of one project from another', async () => {
    const { server, step, path, write, headers } = await world();
    await write(step, 'private');
    expect((await server.request(path(step))).status).toBe(404);
    const eve = await server.person('eve');
    await server.project('eve', 'own');
    const token = bearer(await server.token(eve));
    expect((await server.request(path(step), { headers: token })).status).toBe(404);
    const through = `/api/v1/projects/eve/own/pipelines/1/steps/${step.id}/log`;
    expect((await server.request(through, { headers: token })).status).toBe(404);
    const narrow = bearer(await server.token(await server.person('bob'), ['account:read']));
    expect((await server.request(path(step), { headers: narrow })).status).toBe(404);
    expect((await server.request(path(step), { headers })).status).toBe(200);
  });

  it('follows a log from its first byte to its end mark, whenever somebody joins', async () => {
    const { get, step, write, endLog } = await world();
    const early = await get(step, '?follow=1');
    await write(step, 'one\n');
    const reader = early.body!.getReader();
    expect(String(Buffer.from((await reader.read()).value!))).toBe('one\n');
    const late = (await get(step, '?follow=1')).text();
    const from = (await get(step, '?follow=1&from=2')).text();
    await write(step, 'two\n');
    await write(step, 'three\n');
    await endLog(step);
    expect(await late).toBe('one\ntwo\nthree\n');
    expect(await from).toBe('e\ntwo\nthree\n');
    let rest = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      rest += String(Buffer.from(value));
    }
    expect(rest).toBe('two\nthree\n');
  });

  it('gives a viewer who did not read for long everything', async () => {
    const { get, step, write, endLog } = await world();
    await write(step, 'begin\n');
    const slow = await get(step, '?follow=1');
    const reader = slow.body!.getReader();
    const seen: Buffer[] = [Buffer.from((await reader.read()).value!)];
    const block = 'y'.repeat(65_535);
    for (let i = 0; i < 40; i += 1) await write(step, `${block}\n`);
    await endLog(step);
    for (let next = await reader.read(); !next.done; next = await reader.read()) seen.push(Buffer.from(next.value));
    expect(Buffer.concat(seen).toString()).toBe(`begin\n${`${block}\n`.repeat(40)}`);
  });

  it('ends for a step that never ran, and lets go of whoever hangs up', async () => {
    const { get, later, end, step, write, endLog } = await world();
    const waiting = (await get(later, '?follow=1')).text();
    await end(later);
    expect(await waiting).toBe('');
    await write(step, 'x');
    const response = await get(step, '?follow=1');
    const reader = response.body!.getReader();
    await reader.read();
    await reader.cancel();
    await write(step, 'y');
    await endLog(step);
    expect(await (await get(step)).text()).toBe('xy');
  });

  it('shows the whole log although its storage was closed and opened by another server', async () => {
    const { get, step, write, endLog, logs } = await world();
    await write(step, 'kept\n');
    await endLog(step);
    const writer: LogWriter = await logs.open(step.id);
    await writer.close();
    expect(await (await get(step, '?follow=1')).text()).toBe('kept\n');
  });
});

describe('parseByteRange', () => {
  it.each([
    [undefined, undefined],
    ['bytes=0-0', { from: 0, to: 1 }],
    ['bytes=5-', { from: 5, to: 10 }],
    ['bytes=5-100', { from: 5, to: 10 }],
    ['bytes=-100', { from: 0, to: 10 }],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=5-4', undefined],
    ['bytes=-', undefined],
    ['bytes=0-1,3-4', undefined],
    ['bytes=99999999999999999999-', undefined],
  ])('reads %s of ten bytes', (header, range) => {
    expect(parseByteRange(header, 10)).toEqual(range);
  });
});
