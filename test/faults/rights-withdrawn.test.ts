import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createClient } from '../../src/api/client.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { StreamReader } from '../support/read-stream.ts';

/** Talks every 100 ms for a minute, in one process that stops when it is cancelled. */
const talking = `kind: pipeline
name: default
steps:
  - name: talk
    image: base/busybox
    commands: [talk]
    environment:
      STEP_ACTS: '${JSON.stringify(
        Array.from({ length: 600 }, () => [
          { do: 'write', text: 'a line\n' },
          { do: 'sleep', ms: 100 },
        ]).flat(),
      )}'
`;
const params = { owner: 'admin', project: 'shop' };
const patienceMs = 5_000;
const largeBytes = 24 * 2 ** 20;

describe('who loses a right', () => {
  let gantry: GantryProcess | undefined;
  afterEach(() => gantry?.dispose());

  it.each([
    ['is no member any more', (made) => made.client('removeMember', { params: { ...params, name: 'bo' } })],
    ['has the token revoked', (_made, id, own) => own('revokeToken', { params: { id } })],
    ['is disabled', (made) => made.client('updatePerson', { params: { name: 'bo' }, body: { isDisabled: true } })],
  ] satisfies [
    string,
    (made: GantryProcess, tokenId: string, own: ReturnType<typeof createClient>) => Promise<unknown>,
  ][])('and %s sees no more of an open stream, a followed log and a clone', async (_how, withdraw) => {
    const made = await GantryProcess.start();
    gantry = made;
    await made.createProject('shop');
    await made.client('createPerson', { body: { name: 'bo', password: 'a long way to the sea' } });
    await made.client('setMember', { params: { ...params, name: 'bo' }, body: { role: 'read' } });
    const { token, id } = await tokenOf(made, 'bo', 'a long way to the sea');
    const headers = { Authorization: `Bearer ${token}` };
    const own = createClient(made.url, () => headers);
    const commit = await made.push('shop', {
      '.gantry.yml': talking,
      large: randomBytes(largeBytes).toString('latin1'),
    });
    const running = await made.until('shop', 1, ({ steps }) =>
      steps.some(({ name, status }) => name === 'talk' && status === 'running'),
    );
    const step = running.steps.find(({ name }) => name === 'talk')!;

    const stream = new StreamReader(
      await fetch(`${made.url}/api/v1/stream?topics=project:admin/shop,log:admin/shop/1/${step.id}@0`, { headers }),
    );
    expect(await stream.expect('ready')).toMatchObject({ refused: [] });
    const following = await fetch(`${made.url}/api/v1/projects/admin/shop/pipelines/1/steps/${step.id}/log?follow=1`, {
      headers,
    });
    const log = following.body!.getReader();
    expect((await log.read()).done).toBe(false);
    const clone = await beginClone(made.url, token, commit);
    const [first] = (await once(clone, 'data')) as [Buffer];
    clone.pause();

    await withdraw(made, id, own);
    const withdrawnMs = performance.now();
    const lastMs = { stream: 0, log: 0 };
    const streamed = (async () => {
      for (;;) {
        const event = await stream.next();
        if (!event || event.name === 'end') return;
        if (performance.now() - withdrawnMs > 20_000) return;
        lastMs.stream = performance.now() - withdrawnMs;
      }
    })();
    const followed = (async () => {
      while (!(await log.read()).done) {
        lastMs.log = performance.now() - withdrawnMs;
        if (lastMs.log > 20_000) return;
      }
    })();
    // What comes after is of no concern to them.
    await made.push('shop', { count: '2' }, 'other');
    await made.pause();
    const isStillServed = await Promise.race([
      followed.then(() => false),
      new Promise<true>((resolve) => setTimeout(() => resolve(true), patienceMs + 4_000)),
    ]);
    expect(isStillServed).toBe(false);
    expect(lastMs.log).toBeLessThan(patienceMs + 500);
    await stream.close();
    await streamed;
    expect(lastMs.stream).toBeLessThan(patienceMs);

    let received = first.length;
    clone.on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    clone.resume();
    await once(clone, 'close');
    expect(received).toBeLessThan(largeBytes);
    await expect(own('getProject', { params })).rejects.toThrow();
  });
});

async function tokenOf(
  { url }: GantryProcess,
  name: string,
  password: string,
): Promise<{ readonly token: string; readonly id: string }> {
  let cookie = '';
  await createClient(url)('signIn', {
    body: { name, password },
    onResponse: (response) => {
      cookie = response.headers.getSetCookie()[0]!.split(';')[0]!;
    },
  });
  const signedIn = createClient(url, () => ({ Cookie: cookie, Origin: url, 'Sec-Fetch-Site': 'same-origin' }));
  const made = await signedIn('createToken', { body: { name: 'laptop', scopes: ['*'] } });
  return { token: made.secret, id: made.id };
}

/** A clone as git asks for it, read no faster than the test wants. */
async function beginClone(url: string, token: string, commit: string): Promise<IncomingMessage> {
  const line = (text: string): string => (text.length + 4).toString(16).padStart(4, '0') + text;
  const asking = request(`${url}/admin/shop.git/git-upload-pack`, {
    method: 'POST',
    headers: {
      Authorization: `Basic ${Buffer.from(`bo:${token}`).toString('base64')}`,
      'Content-Type': 'application/x-git-upload-pack-request',
    },
  });
  asking.end(`${line(`want ${commit} side-band-64k ofs-delta\n`)}0000${line('done\n')}`);
  const [answer] = (await once(asking, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(200);
  return answer;
}
