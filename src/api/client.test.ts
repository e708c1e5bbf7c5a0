import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ApiError, createClient } from './client.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** A server that answers everything alike, and remembers what it was asked. */
async function serve(
  status: number,
  body: string,
  headers: Record<string, string> = {},
): Promise<{ base: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const made = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: text });
      response.writeHead(status, headers).end(body);
    });
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return { base: `http://127.0.0.1:${(made.address() as AddressInfo).port}`, seen };
}

const json = { 'Content-Type': 'application/json' };

describe('the client', () => {
  it('writes names into the path, lists into the query, and what it was given into the headers', async () => {
    const { base, seen } = await serve(200, '{"items":[],"next":null}', { ...json, ETag: '"x"' });
    const call = createClient(base, () => ({ Authorization: 'Bearer t' }));
    let tag: string | null = null;
    const answer = await call('listPipelines', {
      params: { owner: 'shop', project: 'a/b?c' },
      query: { status: ['failed', 'passed'], branch: 'feat/x&y', limit: 5 },
      onResponse: (response) => {
        tag = response.headers.get('etag');
      },
    });
    expect(answer).toEqual({ items: [], next: null });
    expect(tag).toBe('"x"');
    expect(seen[0]).toMatchObject({
      method: 'GET',
      url: '/api/v1/projects/shop/a%2Fb%3Fc/pipelines?status=failed&status=passed&branch=feat%2Fx%26y&limit=5',
      headers: { authorization: 'Bearer t' },
      body: '',
    });

    await call('startPipeline', {
      params: { owner: 'shop', project: 'web' },
      body: { ref: 'main' },
      idempotencyKey: 'k1',
      ifMatch: '"x"',
    });
    expect(seen[1]).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k1', 'if-match': '"x"' },
      body: '{"ref":"main"}',
    });
  });

  it('answers nothing where there is nothing', async () => {
    const { base } = await serve(204, '');
    expect(await createClient(base)('signOut')).toBeUndefined();
  });

  it('throws the problem that the server names', async () => {
    const problem = {
      type: 'x',
      title: 'Conflict',
      status: 409,
      code: 'PROJECT_EXISTS',
      detail: 'It is there',
      hint: 'h',
      requestId: 'r',
    };
    const { base } = await serve(409, JSON.stringify(problem), { 'Content-Type': 'application/problem+json' });
    const refusal = await createClient(base)('getMe').catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ApiError);
    expect(refusal).toMatchObject({ message: 'It is there', problem });
  });

  it('says so when something else than Gantry answers', async () => {
    const { base } = await serve(502, '<html>Bad gateway</html>', { 'Content-Type': 'text/html' });
    await expect(createClient(base)('getMe')).rejects.toMatchObject({
      problem: { status: 502, code: 'ANSWER_UNREADABLE' },
    });
    const page = await serve(200, '<html>Sign in to the network</html>', { 'Content-Type': 'text/html' });
    await expect(createClient(page.base)('getMe')).rejects.toMatchObject({ problem: { code: 'ANSWER_UNREADABLE' } });
  });

  it('stops when its signal says so', async () => {
    const { base } = await serve(200, '{}');
    await expect(createClient(base)('getMe', { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
  });
});
