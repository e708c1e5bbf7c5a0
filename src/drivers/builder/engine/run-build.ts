import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import type { Clock } from '../../../lib/clock.ts';
import { findInstructionLine } from '../../../lib/dockerfile.ts';
import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import { EngineError, EngineUnreachable } from '../../container-engine/api/engine-error.ts';
import { jsonMessages } from '../../container-engine/api/json-messages.ts';
import type { BuildSpec } from '../builder.ts';
import { openBuildSession } from './build-session.ts';
import { BuildTrace } from './build-trace.ts';
import type { PreparedDockerfile } from './prepare-dockerfile.ts';

interface BuildMessage {
  readonly id?: string;
  readonly aux?: unknown;
  readonly stream?: string;
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
}

export interface BuildPlace {
  readonly id: string;
  /** Name that the image has in the engine until it is pushed. */
  readonly tag: string;
  readonly dockerfile: PreparedDockerfile;
  readonly client: EngineClient;
  readonly clock: Clock;
}

/** A step of a build may say nothing for hours: whether the engine lives is asked apart. */
const silenceMs = 2 ** 31 - 1;

/** Runs one build in the engine and tells its lines. Rejects where the engine goes away before it has answered. */
export async function runBuild(
  spec: BuildSpec,
  { id, tag, dockerfile, client, clock }: BuildPlace,
): Promise<
  { readonly kind: 'built'; readonly imageId: string } | { readonly kind: 'failed'; readonly message: string }
> {
  const secrets = { ...spec.secrets, ...dockerfile.secrets };
  const asksBack = Object.keys(secrets).length > 0 || spec.credentials.length > 0;
  const session = asksBack ? await openBuildSession(client, { secrets, credentials: spec.credentials }) : undefined;
  const fileName = `.gantry-${id}.Dockerfile`;
  const trace = new BuildTrace({ nowMs: () => clock.monotonicMs(), rename: dockerfile.rename });
  // The engine goes on with a build whose caller has gone.
  const cancel = (): void =>
    void client.call('POST', '/build/cancel', { query: { id }, timeoutMs: 10_000 }).catch(() => undefined);
  spec.signal.addEventListener('abort', cancel, { once: true });
  try {
    const answer = await client.stream('POST', '/build', {
      query: {
        version: 2,
        buildid: id,
        dockerfile: fileName,
        t: tag,
        rm: true,
        forcerm: true,
        buildargs: JSON.stringify(spec.args),
        labels: JSON.stringify(spec.labels),
        target: spec.target,
        nocache: spec.ignoresCache ? true : undefined,
        cachefrom: spec.cacheFrom.length > 0 ? JSON.stringify(spec.cacheFrom) : undefined,
        session: session?.id,
      },
      body: Readable.from(withFile(spec.context, fileName, dockerfile.text), { objectMode: false }),
      timeoutMs: silenceMs,
      signal: spec.signal,
    });
    let imageId: string | undefined;
    for await (const message of jsonMessages<BuildMessage>(answer)) {
      const fault = message.errorDetail?.message ?? message.error;
      if (fault !== undefined) {
        answer.destroy();
        spec.signal.throwIfAborted();
        // What an engine that is being ended says of what it was doing is no verdict on it.
        if (isEngineFault(fault)) throw new EngineUnreachable(`The container engine broke the build off: ${fault}`);
        return { kind: 'failed', message: faultText(dockerfile, spec, trace, fault) };
      }
      if (message.id === 'moby.buildkit.trace' && typeof message.aux === 'string')
        for (const line of trace.take(Buffer.from(message.aux, 'base64'))) await spec.onLine(line);
      else if (message.id === 'moby.image.id') imageId = idOf(message.aux) ?? imageId;
    }
    if (imageId === undefined) throw new EngineUnreachable('The container engine ended the build without an answer');
    return { kind: 'built', imageId };
  } catch (error) {
    if (error instanceof EngineError && error.status < 500) return { kind: 'failed', message: error.message };
    throw error;
  } finally {
    spec.signal.removeEventListener('abort', cancel);
    session?.close();
  }
}

/** A tar is a row of entries: what is to be in it beside the context stands before it. */
async function* withFile(context: Readable, name: string, text: string): AsyncGenerator<Buffer> {
  const tar = pack();
  tar.entry({ name, mode: 0o644, mtime: new Date(0) }, text);
  tar.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of tar) pieces.push(piece as Buffer);
  // Without the two empty blocks that would end it.
  yield Buffer.concat(pieces).subarray(0, -1_024);
  for await (const piece of context) yield piece as Buffer;
}

function isEngineFault(fault: string): boolean {
  return /context canceled|transport is closing|code = (?:Unavailable|Canceled)|no active sessions|grpc: the (?:client )?connection is closing|server stopped/i.test(
    fault,
  );
}

function faultText(
  { written, rename }: PreparedDockerfile,
  { dockerfilePath }: BuildSpec,
  trace: BuildTrace,
  fault: string,
): string {
  const line =
    trace.failedInstruction === undefined ? undefined : findInstructionLine(written, trace.failedInstruction);
  return `${line === undefined ? '' : `${dockerfilePath}:${line}: `}${rename(fault)}`;
}

function idOf(aux: unknown): string | undefined {
  const id = typeof aux === 'object' && aux !== null && 'ID' in aux ? aux.ID : undefined;
  return typeof id === 'string' ? id : undefined;
}
