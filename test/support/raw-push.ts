import { spawn } from 'node:child_process';
import { type ClientRequest, request } from 'node:http';
import { flushPkt, pktLine } from '../../src/lib/pkt-line.ts';

/** The body of a push that brings `to`, with everything that it needs and `before` does not have. */
export async function pushBody(
  tree: string,
  push: { readonly ref: string; readonly before: string; readonly after: string; readonly capabilities?: string },
): Promise<Buffer> {
  const isNew = /^0+$/.test(push.before);
  const pack = await packOf(tree, isNew ? `${push.after}\n` : `${push.after}\n^${push.before}\n`);
  const capabilities = push.capabilities ?? 'report-status side-band-64k';
  return Buffer.concat([pktLine(`${push.before} ${push.after} ${push.ref}\0${capabilities}`), flushPkt, pack]);
}

function packOf(tree: string, revisions: string): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const child = spawn('git', ['pack-objects', '--stdout', '--revs', '--quiet'], { cwd: tree });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => void chunks.push(chunk));
  child.on('error', reject);
  child.on('close', () => resolve(Buffer.concat(chunks)));
  child.stdin.end(revisions);
  return promise;
}

export interface RawPush {
  /** Sends more of the body. */
  readonly send: (bytes: Buffer) => void;
  readonly end: () => void;
  /** Cuts the connection. */
  readonly cut: () => void;
  /** The answer; `undefined` when the connection ended before it was whole. */
  readonly answer: Promise<{ readonly status: number; readonly text: string } | undefined>;
}

/** A push whose body the test sends by the piece. `repositoryUrl` holds the name to push as. */
export function rawPush(repositoryUrl: string): RawPush {
  const url = new URL(`${repositoryUrl}/git-receive-pack`);
  const { promise, resolve } = Promise.withResolvers<{ status: number; text: string } | undefined>();
  const sending: ClientRequest = request(
    {
      host: url.hostname,
      port: url.port,
      path: url.pathname,
      auth: `${url.username}:${url.password}`,
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/x-git-receive-pack-request', 'transfer-encoding': 'chunked' },
    },
    (response) => {
      let text = '';
      response.setEncoding('latin1');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(response.complete ? { status: response.statusCode ?? 0, text } : undefined));
      response.on('error', () => resolve(undefined));
    },
  );
  sending.on('error', () => resolve(undefined));
  return {
    send: (bytes) => void sending.write(bytes),
    end: () => void sending.end(),
    cut: () => void sending.destroy(),
    answer: promise,
  };
}
