import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GantryError } from '../../../core/errors.ts';
import type { Architecture, NpmPart } from './recipe.ts';
import { runProgram } from './run-program.ts';

/** The package's tarball, fetched with the host's npm and its configuration (mirror, proxy), and checked by integrity. */
export async function fetchNpmPackage(
  folder: string,
  part: NpmPart,
  architecture: Architecture,
  environment: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<string> {
  const name = part.name[architecture];
  const kept = join(folder, `${name.replaceAll('/', '-')}-${part.version}.tgz`);
  if (await hasIntegrity(kept, part.integrity[architecture])) return kept;

  const incoming = join(folder, `incoming-${process.pid}-${randomUUID()}`);
  await mkdir(incoming, { recursive: true });
  try {
    await runProgram('npm', ['pack', `${name}@${part.version}`, '--silent', '--ignore-scripts'], {
      cwd: incoming,
      environment,
      signal,
    });
    const [file] = await readdir(incoming);
    const fetched = join(incoming, file ?? 'nothing');
    if (!(await hasIntegrity(fetched, part.integrity[architecture])))
      throw new Error('what was served does not have the recorded integrity');
    await rename(fetched, kept);
    return kept;
  } catch (cause) {
    throw new GantryError(
      'IMAGE_PULL_FAILED',
      `Cannot fetch the npm package ${name} ${part.version}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
}

async function hasIntegrity(file: string, integrity: string): Promise<boolean> {
  const bytes = await readFile(file).catch(() => undefined);
  return bytes !== undefined && `sha512-${createHash('sha512').update(bytes).digest('base64')}` === integrity;
}
