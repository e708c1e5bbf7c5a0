import type { EncryptedSecret, EncryptionFault } from '../../core/encrypted-secret.ts';
import type { PipelinePlan, PlacedSecret } from '../../core/plan.ts';
import type { SecretVault } from '../../core/secret-vault.ts';
import type { CompileResult } from '../../engine/compile-input.ts';
import type { LintCode } from '../../engine/lint-rules.ts';
import type { OpenPipeline } from './open-pipelines.ts';

type Opener = Pick<SecretVault, 'openEncrypted'>;

/** A secret of a file that does not open, and why, as a sentence without its end point. */
export interface ClosedSecret {
  readonly secret: PlacedSecret;
  readonly message: string;
}

/** The secrets of a file whose values do not open with the keys of the project, in the order of the file. */
export async function findClosedSecrets(
  vault: Opener,
  projectId: number,
  { encryptedSecrets = [] }: Pick<PipelinePlan, 'encryptedSecrets'>,
): Promise<readonly ClosedSecret[]> {
  const opened = await vault.openEncrypted(
    projectId,
    encryptedSecrets.map(({ data }) => data),
  );
  return encryptedSecrets.flatMap((secret, index): readonly ClosedSecret[] => {
    const one = opened[index];
    return one && 'fault' in one ? [{ secret, message: messageOf(secret.name, one.fault) }] : [];
  });
}

/** A plan whose file has a secret that does not open is none: what names it would run without it. */
export async function refuseClosedSecrets(
  vault: Opener,
  projectId: number,
  result: CompileResult,
): Promise<CompileResult> {
  if (result.kind !== 'planned') return result;
  const [first, ...others] = await findClosedSecrets(vault, projectId, result.plan);
  if (!first) return result;
  const { path } = result.plan;
  const { line, column } = first.secret;
  const code = 'secret.closed' satisfies LintCode;
  return {
    kind: 'failed',
    path,
    error: { message: `Cannot run ${path}: ${first.message}`, code, path, line, column },
    trace: [
      ...result.trace,
      ...[first, ...others].map(({ secret, message }) => ({
        subject: { kind: 'file' } as const,
        rule: 'file.invalid' as const,
        verdict: 'failed' as const,
        values: { path, line: secret.line, column: secret.column, message, code },
      })),
    ],
  };
}

/** Values by name of the secrets that stand encrypted in the file of a pipeline; none for work that may have no secrets. */
export async function openFileSecrets(vault: Opener, pipeline: OpenPipeline): Promise<ReadonlyMap<string, string>> {
  if (!pipeline.mayHaveSecrets) return new Map();
  const named = new Map<string, EncryptedSecret>();
  for (const { plan } of pipeline.workflows)
    for (const secret of plan.encryptedSecrets ?? []) named.set(secret.name, secret);
  if (named.size === 0) return new Map();
  const secrets = [...named.values()];
  const opened = await vault.openEncrypted(
    pipeline.row.projectId,
    secrets.map(({ data }) => data),
  );
  const values = new Map<string, string>();
  for (const [index, { name }] of secrets.entries()) {
    const one = opened[index];
    if (one && 'value' in one) values.set(name, one.value);
  }
  return values;
}

function messageOf(name: string, fault: EncryptionFault): string {
  const anew = 'encrypt the value with "gantry secret encrypt"';
  const bring = 'bring the key of the system that the file comes from with "gantry secret import-key"';
  switch (fault) {
    case 'damaged':
      return `the value of the secret "${name}" is damaged: ${anew} once more`;
    case 'no-key':
      return `the secret "${name}" cannot be opened, since the project has no key yet: ${anew}, or ${bring}`;
    case 'wrong-key':
      return `the secret "${name}" cannot be opened with a key of this project, so it was encrypted for another one or changed since: ${anew}, or ${bring}`;
  }
}
