import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { delimiterPkt, flushPkt, pktLine } from '../../src/lib/pkt-line.ts';
import { addPerson, addProject, mustGit, startCodeServer } from '../support/code-server.ts';
import { makeTree } from '../support/killable-code-server.ts';
import { pushBody, rawPush } from '../support/raw-push.ts';

async function world() {
  const server = await startCodeServer();
  onTestFinished(() => server.stop());
  const { store } = server;
  const project = await addProject(store, await addPerson(store, 'mei'), 'shop');
  const wei = await addPerson(store, 'wei');
  const setRole = (role: 'write' | undefined) =>
    store.write((stores) => stores.projects.setRole(project.id, wei.id, role));
  await setRole('write');
  const folder = await mkdtemp(join(tmpdir(), 'gantry-rights-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const as = (name: string): string => `${server.url.replace('://', `://${name}:x@`)}/mei/shop.git`;
  const made = await makeTree(folder);
  return { server, project, setRole, folder, as, ...made };
}

describe('Rights that are withdrawn', () => {
  it('while a pack arrives stop the push before any reference moves', async () => {
    const { server, project, setRole, folder, as, first } = await world();
    const body = await pushBody(folder, { ref: 'refs/heads/main', before: '0'.repeat(40), after: first });
    const push = rawPush(as('wei'));
    push.send(body.subarray(0, body.length - 8));
    while ((await server.store.read.events.listIntents()).length === 0) await new Promise(setImmediate);
    await setRole(undefined);
    push.send(body.subarray(body.length - 8));
    push.end();
    const answer = await push.answer;
    expect(answer?.text).toMatch(/the right to write was withdrawn/);
    expect(answer?.text).not.toContain('ok refs/');
    expect(await server.feature.repository.refs(project.id)).toEqual([]);
    expect(await server.store.read.events.listByProject(project.id, 9)).toEqual([]);
    expect(await server.store.read.events.listIntents()).toEqual([]);
  });

  it('while a clone is under way end it within five seconds', async () => {
    const { setRole, folder, as, commit } = await world();
    // More than pipes and sockets hold, so that git waits for its client.
    await writeFile(join(folder, 'large.bin'), randomBytes(24 * 2 ** 20));
    const head = await commit('large');
    await mustGit(['push', '--quiet', as('mei'), 'main'], folder);

    const url = new URL(`${as('wei')}/git-upload-pack`);
    const sending = request({
      host: url.hostname,
      port: url.port,
      path: url.pathname,
      auth: 'wei:x',
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/x-git-upload-pack-request', 'git-protocol': 'version=2' },
    });
    sending.end(
      Buffer.concat([
        pktLine('command=fetch'),
        pktLine('object-format=sha1'),
        delimiterPkt,
        pktLine(`want ${head}\n`),
        pktLine('done\n'),
        flushPkt,
      ]),
    );
    const [response] = (await once(sending, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    await once(response, 'readable');
    await setRole(undefined);
    const withdrawnAtMs = performance.now();
    // What was under way still arrives; the rest never does.
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    let sizeBytes = 0;
    response.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
    });
    response.on('error', () => undefined);
    await once(response, 'close');
    expect(sizeBytes).toBeLessThan(24 * 2 ** 20);
    expect(performance.now() - withdrawnAtMs).toBeLessThan(8_000);
  });
});
