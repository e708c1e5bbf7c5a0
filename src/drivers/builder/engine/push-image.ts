import { GantryError } from '../../../core/errors.ts';
import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import { isNotFound } from '../../container-engine/api/engine-error.ts';
import { authHeader, splitTag } from '../../container-engine/api/engine-images.ts';
import { jsonMessages } from '../../container-engine/api/json-messages.ts';
import { findCredentials } from '../../container-engine/api/pull-policy.ts';
import type { BuildSpec } from '../builder.ts';
import type { OpenBuildRecord } from './build-records.ts';

interface PushMessage {
  readonly status?: string;
  readonly id?: string;
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
  readonly aux?: { readonly Digest?: unknown };
}

export interface PushPlace {
  readonly client: EngineClient;
  readonly imageId: string;
  /** Full name, with registry and tag. */
  readonly name: string;
  readonly spec: Pick<BuildSpec, 'credentials' | 'onLine' | 'signal'>;
  readonly record: Pick<OpenBuildRecord, 'notePush' | 'noteNoPush'>;
}

/** A layer may take long to a slow registry; one that moves nothing for so long is as good as gone. */
const silenceMs = 600_000;

/**
 * Pushes an image of the engine. It has the name there for as long as that takes, and whatever had it before gets it
 * back: an image is never found under a name that its build only asked for.
 */
export async function pushImage({
  client,
  imageId,
  name,
  spec,
  record,
}: PushPlace): Promise<
  { readonly kind: 'pushed'; readonly digest: string } | { readonly kind: 'failed'; readonly message: string }
> {
  const [repository, tag] = splitTag(name);
  const before = await findImage(client, name);
  const login = findCredentials(name, spec.credentials);
  await spec.onLine(`pushing ${name}`);
  record.notePush(name, before);
  await client.call('POST', `/images/${imageId}/tag`, { query: { repo: repository, tag } });
  try {
    const answer = await client.stream('POST', `/images/${repository}/push`, {
      query: { tag },
      headers: { 'X-Registry-Auth': login ? authHeader(login) : 'e30=' },
      timeoutMs: silenceMs,
      signal: spec.signal,
    });
    let digest: string | undefined;
    for await (const message of jsonMessages<PushMessage>(answer)) {
      const fault = message.errorDetail?.message ?? message.error;
      if (fault !== undefined) {
        answer.destroy();
        spec.signal.throwIfAborted();
        return refused(name, fault);
      }
      if (typeof message.aux?.Digest === 'string') digest = message.aux.Digest;
    }
    if (digest === undefined) throw away(name, 'the engine ended the push without an answer');
    await spec.onLine(`pushed ${name}@${digest}`);
    return { kind: 'pushed', digest };
  } finally {
    await giveBack(client, name, before).then(
      () => record.noteNoPush(name),
      () => undefined,
    );
  }
}

async function findImage(client: EngineClient, name: string): Promise<string | undefined> {
  try {
    return (await client.call<{ readonly Id: string }>('GET', `/images/${name}/json`)).Id;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Gives the name back to the image that had it; without one it goes. */
export async function giveBack(client: EngineClient, name: string, before: string | undefined): Promise<void> {
  const [repo, tag] = splitTag(name);
  if (before === undefined) await client.call('DELETE', `/images/${name}`);
  else await client.call('POST', `/images/${before}/tag`, { query: { repo, tag } });
}

/** A registry that says no has judged; one that does not answer has not. */
function refused(name: string, fault: string): { readonly kind: 'failed'; readonly message: string } {
  const isAway =
    /connection (?:refused|reset)|no such host|i\/o timeout|timeout exceeded|EOF|no route to host|context (?:canceled|deadline)|received unexpected HTTP status: 5|TLS handshake timeout|toomanyrequests/i;
  if (isAway.test(fault)) throw away(name, fault);
  return { kind: 'failed', message: `Cannot push ${name}: ${fault}` };
}

function away(name: string, because: string): GantryError {
  return new GantryError('RUNTIME_UNAVAILABLE', `Cannot push ${name}: ${because}`);
}
