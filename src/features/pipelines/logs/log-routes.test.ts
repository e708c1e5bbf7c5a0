import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { stepPlan } from '../../../../test/support/plans.ts';
import { assignmentOf } from '../../../../test/support/protocol-server.ts';
import { bearer, openServerWorld, type ServerWorld } from '../../../../test/support/server-world.ts';
import type { Step } from '../../../core/pipeline.ts';
import { FilesystemLogs } from '../../../drivers/logs/filesystem/filesystem-logs.ts';
import type { LogWriter } from '../../../drivers/logs/logs.ts';
import { StepLogs } from '../step-logs.ts';
import { parseByteRange } from './byte-range.ts';
import { logOperations } from './log-operations.ts';
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
  server = await openServerWorld({
    routes: logRoutes({ store, logs, logBus: stepLogs }),
    handlers: logOperations({ store, logs }),
  });
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
  const sequences = new Map<number, number>();
  const write = async (step: Step, text: string, atMs = 0): Promise<void> => {
    const sequence = (sequences.get(step.id) ?? 0) + 1;
    sequences.set(step.id, sequence);
    await stepLogs.append({ stepId: step.id, sequence, stream: 'stdout', atMs }, Buffer.from(text));
  };
  const start = async (step: Step, startedAt: string): Promise<void> => {
    await server.store.write((stores) =>
      stores.pipelines.updateSteps([{ id: step.id, status: 'running', startedAt: new Date(startedAt) }]),
    );
  };
  const endLog = (step: Step): Promise<number> => stepLogs.end(step.id, (sequences.get(step.id) ?? 0) + 1, false);
  return { server, logs, step: steps[0]!, later: steps[1]!, get, path, write, start, end, endLog, headers };
}

describe('the log of a whole pipeline', () => {
  const whole = '/api/v1/projects/ada/hello/pipelines/1/log';

  it('is the logs of its steps in their order, each under its name, those without one left out', async () => {
    const { server, headers, step, later, write, endLog } = await world();
    await write(step, 'one\ntwo without an end');
    await endLog(step);
    const first = await server.request(`${whole}?download=1`, { headers });
    expect(await first.text()).toBe('── default/unit "tests": waiting\none\ntwo without an end');
    expect(first.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(first.headers.get('content-disposition')).toBe('attachment; filename="hello-1.log"');
    await write(later, 'three\n');
    expect(await (await server.request(whole, { headers })).text()).toBe(
      '── default/unit "tests": waiting\none\ntwo without an end\n── default/later: waiting\nthree\n',
    );
  });

  it('puts the times in front of its lines where they are asked for', async () => {
    const { server, headers, step, start, write } = await world();
    await start(step, '2026-01-02T03:04:05.000Z');
    await write(step, 'one\n', 1_500);
    const response = await server.request(`${whole}?timestamps=1`, { headers });
    expect(await response.text()).toMatch(/^── .*\n2026-01-02T03:04:06\.500Z? one\n$/);
  });

  it('is empty while nothing has run, and is for those who may read it', async () => {
    const { server, headers } = await world();
    expect(await (await server.request(whole, { headers })).text()).toBe('');
    expect((await server.request(whole)).status).toBe(404);
    expect((await server.request(whole.replace('/1/log', '/2/log'), { headers })).status).toBe(404);
  });
});

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

  it('gives what comes from a byte on, and nothing where that is still on its way to the disk', async () => {
    const { get, step, write } = await world();
    await write(step, '0123456789');
    const answers = await Promise.all(['?from=7', '?from=10', '?from=12'].map((query) => get(step, query)));
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
    expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual(['789', '', '']);
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

describe('lines of a log', () => {
  const position = (response: Response): unknown[] =>
    ['log-first-line', 'log-offset', 'log-lines', 'log-size'].map((name) => Number(response.headers.get(name)));

  it('are given from any line on and from the end, with where they stand, however the chunks were cut', async () => {
    const text = 'one\ntwo\n\nfour\nfive is long\nsix has not ended';
    for (const size of [1, 3, 7, 100]) {
      const { get, step, write } = await world();
      for (let at = 0; at < text.length; at += size) await write(step, text.slice(at, at + size));
      const lines = text.split('\n').map((line, i, all) => (i < all.length - 1 ? `${line}\n` : line));
      for (let from = 1; from <= 6; from += 1) {
        const some = await get(step, `?fromLine=${from}&limit=2`);
        expect(await some.text()).toBe(lines.slice(from - 1, from + 1).join(''));
        expect(position(some)).toEqual([from, lines.slice(0, from - 1).join('').length, 6, text.length]);
        const last = await get(step, `?fromLine=-${from}`);
        expect(await last.text()).toBe(lines.slice(-from).join(''));
        expect(position(last)[0]).toBe(7 - from);
      }
    }
  });

  it('are none where there are none, and nonsense is refused', async () => {
    const { get, step, write } = await world();
    await write(step, 'one\ntwo\n');
    const none = await get(step, '?fromLine=3');
    expect([none.status, await none.text(), ...position(none)]).toEqual([200, '', 3, 8, 2, 8]);
    const all = await get(step, '?fromLine=-500&limit=10000');
    expect([await all.text(), ...position(all)]).toEqual(['one\ntwo\n', 1, 0, 2, 8]);
    for (const query of ['fromLine=0', 'fromLine=x', 'limit=0', 'limit=10001', 'fromLine=1.5'])
      expect((await get(step, `?${query}`)).status).toBe(400);
  });

  it('end within a line where they are too long', async () => {
    const { get, step, write } = await world();
    for (let i = 0; i < 10; i += 1) await write(step, 'x'.repeat(2 ** 20));
    const response = await get(step, '?fromLine=-1');
    expect((await response.text()).length).toBe(4 * 2 ** 20);
    expect(position(response)).toEqual([1, 0, 1, 10 * 2 ** 20]);
  });
});

describe('timestamps of a log', () => {
  it('are those of the chunks in which the lines begin', async () => {
    const { get, step, write, start, endLog } = await world();
    await start(step, '2026-11-26T18:00:00.000Z');
    await write(step, '+ make\nbegun here', 5);
    await write(step, ' and ended here\nnew\n', 1_250.4);
    await write(step, '\nlast', 61_000);
    await endLog(step);
    const whole = [
      '2026-11-26T18:00:00.005Z + make',
      '2026-11-26T18:00:00.005Z begun here and ended here',
      '2026-11-26T18:00:01.250Z new',
      '2026-11-26T18:01:01.000Z ',
      '2026-11-26T18:01:01.000Z last',
    ];
    expect((await (await get(step, '?timestamps=1')).text()).split('\n')).toEqual(whole);
    expect((await (await get(step, '?timestamps=1&follow=1')).text()).split('\n')).toEqual(whole);
    expect(await (await get(step, '?timestamps=1&fromLine=2&limit=2')).text()).toBe(`${whole[1]}\n${whole[2]}\n`);
  });

  it('come with what is followed, and are left out of what was said before the step started', async () => {
    const { get, step, write, start, endLog } = await world();
    const reader = (await get(step, '?timestamps=1&follow=1')).body!.getReader();
    const next = async (): Promise<string> => String(Buffer.from((await reader.read()).value ?? []));
    await write(step, 'pulling the image\n');
    expect(await next()).toBe('- pulling the image\n');
    await start(step, '2026-11-26T18:00:00.000Z');
    await write(step, 'hello\n', 3);
    expect(await next()).toBe('2026-11-26T18:00:00.003Z hello\n');
    await endLog(step);
    expect((await reader.read()).done).toBe(true);
  });

  it('are listed by line, page by page', async () => {
    const { server, step, path, write, start, headers } = await world();
    await start(step, '2026-11-26T18:00:00.000Z');
    const texts = ['one\ntwo\n', 'a long ', 'line ', 'goes on', '\n', 'four\nfi', 've\n', 'six'];
    for (const [i, text] of texts.entries()) await write(step, text, i);
    const times = async (query: string): Promise<unknown> =>
      (await server.request(`${path(step)}/times?${query}`, { headers })).json();
    const items = [
      { line: 1, atMs: 0 },
      { line: 3, atMs: 1 },
      { line: 4, atMs: 5 },
      { line: 6, atMs: 7 },
    ];
    const startedAt = '2026-11-26T18:00:00.000Z';
    const lines = 6;
    expect(await times('')).toEqual({ startedAt, lines, items, nextLine: null });
    expect(await times('limit=2')).toEqual({ startedAt, lines, items: items.slice(0, 2), nextLine: 4 });
    expect(await times('limit=1&fromLine=4')).toEqual({ startedAt, lines, items: items.slice(2, 3), nextLine: 6 });
    expect(await times('fromLine=5')).toEqual({ startedAt, lines, items: items.slice(2), nextLine: null });
    expect(await times('fromLine=7')).toEqual({ startedAt, lines, items: [], nextLine: null });
  });
});

describe('the outline of a log', () => {
  const commandsOf = (text: string): unknown[] =>
    text
      .split('\n')
      .flatMap((line, i) =>
        line.startsWith('+ ') ? [{ line: i + 1, text: line, atMs: expect.any(Number) as number }] : [],
      );

  it('tells its size and its commands, wherever chunks were cut and while it grows', async () => {
    const text = '+ npm ci\n+\na + b\n+ npm test\n ++ no\n+ \n+x\n+ last';
    for (const size of [1, 2, 5, 100]) {
      const { server, step, path, write, start, endLog, headers } = await world();
      const outline = async (): Promise<Record<string, unknown>> =>
        (await (await server.request(`${path(step)}/outline`, { headers })).json()) as Record<string, unknown>;
      for (let at = 0; at < text.length; at += size) {
        await write(step, text.slice(at, at + size), at);
        const sofar = text.slice(0, at + size);
        const { commands, ...rest } = await outline();
        expect(rest).toEqual({
          lines: sofar.split('\n').length - (sofar.endsWith('\n') ? 1 : 0),
          sizeBytes: sofar.length,
          isEnded: false,
          isCut: false,
          startedAt: null,
          lastAtMs: at,
          hasMoreCommands: false,
        });
        expect(commands).toEqual(commandsOf(sofar));
      }
      await start(step, '2026-11-26T18:00:00.000Z');
      await endLog(step);
      expect(await outline()).toMatchObject({ isEnded: true, startedAt: '2026-11-26T18:00:00.000Z' });
    }
  });

  it('gives the text and the time of a command, and no more commands than it may', async () => {
    const { server, step, later, path, write, headers } = await world();
    const outline = async (of: Step): Promise<{ commands: unknown[]; hasMoreCommands: boolean }> =>
      (await (await server.request(`${path(of)}/outline`, { headers })).json()) as never;
    expect((await server.request(`${path(later)}/outline`, { headers })).status).toBe(404);
    await write(step, '+ echo 中文\nout\n', 7);
    await write(step, `+ ${'y'.repeat(5_000)}\n`, 9);
    expect((await outline(step)).commands).toEqual([
      { line: 1, text: '+ echo 中文', atMs: 7 },
      { line: 3, text: `+ ${'y'.repeat(398)}`, atMs: 9 },
    ]);
    await write(step, '+ a line of a diff\n'.repeat(3_000), 11);
    const many = await outline(step);
    expect([many.commands.length, many.hasMoreCommands]).toEqual([2_000, true]);
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
