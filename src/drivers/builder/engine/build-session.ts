import { randomUUID } from 'node:crypto';
import { type Http2Session, performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import type { RegistryCredentials } from '../../../core/image.ts';
import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import { findCredentials } from '../../container-engine/api/pull-policy.ts';
import { bytesField, protobufFields, textField } from './protobuf.ts';

export interface BuildSession {
  /** Names it to the build that may ask it. */
  readonly id: string;
  close(): void;
}

export interface SessionAnswers {
  /** By their ids, for `RUN --mount=type=secret`. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly credentials: readonly RegistryCredentials[];
}

const methods = {
  health: '/grpc.health.v1.Health/Check',
  secret: '/moby.buildkit.secrets.v1.Secrets/GetSecret',
  credentials: '/moby.filesync.v1.Auth/Credentials',
} as const;

const maxRequestBytes = 65_536;
const notFound = 5;
const unimplemented = 12;

/**
 * Opens the connection over which BuildKit asks back while it builds: the engine calls, we answer over HTTP/2 on a
 * connection that we have upgraded. Values travel there and nowhere else.
 */
export async function openBuildSession(client: EngineClient, answers: SessionAnswers): Promise<BuildSession> {
  const id = randomUUID();
  const socket = await client.upgrade('/session', {
    protocol: 'h2c',
    headers: {
      'X-Docker-Expose-Session-Uuid': id,
      'X-Docker-Expose-Session-Name': 'gantry',
      'X-Docker-Expose-Session-Sharedkey': '',
      'X-Docker-Expose-Session-Grpc-Method': Object.values(methods),
    },
  });
  const session: Http2Session = performServerHandshake(socket);
  // An engine that goes away is told by the build itself.
  session.on('error', () => undefined);
  socket.on('error', () => undefined);
  session.on('stream', (stream, headers) => {
    const pieces: Buffer[] = [];
    let length = 0;
    stream.on('error', () => undefined);
    stream.on('data', (piece: Buffer) => {
      length += piece.length;
      if (length <= maxRequestBytes) pieces.push(piece);
    });
    stream.on('end', () => reply(stream, answerTo(String(headers[':path']), Buffer.concat(pieces), answers)));
  });
  return {
    id,
    close() {
      session.destroy();
      socket.destroy();
    },
  };
}

type Answer = { readonly message: Buffer } | { readonly status: number; readonly text: string };

function answerTo(path: string, frame: Buffer, answers: SessionAnswers): Answer {
  // A byte that tells of compression and four of the length come before the message.
  const request = protobufFields(frame.subarray(5));
  switch (path) {
    case methods.health:
      // SERVING
      return { message: Buffer.from([0x08, 0x01]) };
    case methods.secret: {
      const name = textField(request, 1);
      if (!Object.hasOwn(answers.secrets, name)) return { status: notFound, text: `no secret has the id ${name}` };
      return { message: bytesField(1, Buffer.from(answers.secrets[name]!)) };
    }
    case methods.credentials: {
      const host = textField(request, 1).replace(/^registry-1\.docker\.io$/, 'docker.io');
      const login =
        findCredentials(host, answers.credentials) ??
        answers.credentials.find(({ registry }) => registry.replace(/^https?:\/\//, '').split('/')[0] === host);
      return {
        message: login
          ? Buffer.concat([bytesField(1, Buffer.from(login.username)), bytesField(2, Buffer.from(login.password))])
          : Buffer.alloc(0),
      };
    }
    default:
      return { status: unimplemented, text: 'not known here' };
  }
}

function reply(stream: ServerHttp2Stream, answer: Answer): void {
  if (stream.destroyed) return;
  const head = { ':status': 200, 'content-type': 'application/grpc' };
  if ('status' in answer) {
    stream.respond({ ...head, 'grpc-status': String(answer.status), 'grpc-message': answer.text }, { endStream: true });
    return;
  }
  const length = Buffer.alloc(5);
  length.writeUInt32BE(answer.message.length, 1);
  stream.respond(head, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.concat([length, answer.message]));
}
