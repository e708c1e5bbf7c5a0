import type { Event, EventKind } from '../../../core/event.ts';
import type { Project } from '../../../core/project.ts';
import type { SecretVault } from '../../../core/secret-vault.ts';
import type { TraceEntry } from '../../../core/trace.ts';
import { chooseFiles } from '../../../engine/choose-files.ts';
import { checkSignature } from '../../../engine/signature.ts';

/** What somebody does who is signed in and may run pipelines needs no signature (pipelines.md 10.8). */
const signedEvents: readonly EventKind[] = ['push', 'tag', 'pull_request'];

/** What is to be said of the signatures on the files that count; nothing in a project that wants none. */
export async function checkSignatures(
  secrets: Pick<SecretVault, 'importedKey' | 'signingKey'>,
  event: Pick<Event, 'kind'>,
  project: Project,
  files: readonly { readonly path: string; readonly text?: string | undefined }[],
): Promise<readonly TraceEntry[]> {
  if (!project.pipelines.requiresSignature || !signedEvents.includes(event.kind)) return [];
  const readable = files.flatMap(({ path, text }) => (text === undefined ? [] : [{ path, text }]));
  const chosen = chooseFiles(readable, project.pipelines.path);
  if (!chosen) return [];
  const keys = await Promise.all([secrets.signingKey(project.id), secrets.importedKey(project.id)]);
  return chosen.files.map(({ path, text }) => {
    const verdicts = keys.map((key) => checkSignature(text, key));
    const found = verdicts.find((verdict) => verdict === 'valid') ?? verdicts[0] ?? 'missing';
    return {
      subject: { kind: 'file' },
      rule: `signature.${found}`,
      verdict: found === 'valid' ? 'noted' : 'blocked',
      values: { path },
    };
  });
}
