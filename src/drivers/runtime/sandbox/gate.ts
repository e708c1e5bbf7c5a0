import { GantryError } from '../../../core/errors.ts';
import type { ImageConfig } from '../../../core/image.ts';
import type { ReleaseSpec, StageSpec } from '../runtime.ts';
import { encodeFrame } from './frames.ts';
import { gateCalls } from './gate-program.ts';
import { stepCapabilities } from './launcher.ts';
import { gateFolder } from './skeleton.ts';
import { type Architecture, syscallArguments } from './system-calls.ts';

/** What a shell finds when nobody sets PATH (Docker's default). */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A release is held in memory on both sides of the gate. */
const releaseLimitBytes = 64 * 1024 * 1024;

/** The command that waits inside a sandbox: perl by its own loader, because the image may have none or another. */
export function gateCommand(architecture: Architecture): readonly string[] {
  return [
    `${gateFolder}/ld.so`,
    '--library-path',
    gateFolder,
    `${gateFolder}/perl`,
    `${gateFolder}/gate`,
    Object.values(stepCapabilities).join(','),
    ...syscallArguments(gateCalls, architecture),
  ];
}

/** What opens the gate. Environment: image, then defaults that the step may override, then plan, then secrets. */
export function encodeRelease(options: {
  readonly step: Pick<StageSpec, 'name' | 'kind' | 'entrypoint' | 'command' | 'user' | 'workingDirectory' | 'startsIn'>;
  readonly release: ReleaseSpec;
  readonly image: Pick<ImageConfig, 'environment' | 'entrypoint' | 'command' | 'user' | 'workingDirectory'>;
  readonly workspace: string;
  /** Names that stand for 127.0.0.1 beside those that every step has. */
  readonly hostNames: readonly string[];
  readonly defaults: Readonly<Record<string, string>>;
}): Buffer {
  const { step, release, image, workspace } = options;
  const environment = new Map<string, string>([['PATH', defaultPath]]);
  const add = (values: Readonly<Record<string, string>>): void => {
    for (const name of Object.keys(values)) environment.set(name, values[name]!);
  };
  add(options.defaults);
  for (const entry of image.environment) {
    const cut = entry.indexOf('=');
    if (cut > 0) environment.set(entry.slice(0, cut), entry.slice(cut + 1));
  }
  add(release.environment);
  add(release.secrets);
  const variables: string[] = [];
  for (const [name, value] of environment) {
    if (name === '' || name.includes('=')) continue;
    if (name.includes('\0') || value.includes('\0'))
      throw new GantryError('REQUEST_INVALID', `Cannot start step "${step.name}": variable ${name} has a NUL byte`);
    variables.push(name, value);
  }
  const script = step.kind === 'commands' ? release.script : undefined;
  const command =
    step.kind === 'commands'
      ? []
      : [...(step.entrypoint ?? image.entrypoint), ...(step.command ?? (step.entrypoint ? [] : image.command))];
  const folder = workingDirectoryOf(step, image, workspace);
  const frame = encodeFrame([
    step.user ?? image.user,
    folder,
    // Whoever does not start in the workspace does not make it its own either.
    step.startsIn === 'image' ? '' : workspace,
    options.hostNames.map((name) => `127.0.0.1 ${name}\n`).join(''),
    script ?? '',
    script === undefined ? '' : '1',
    String(variables.length / 2),
    ...variables,
    ...command,
  ]);
  if (frame.length > releaseLimitBytes) {
    throw new GantryError(
      'REQUEST_TOO_LARGE',
      `Cannot start step "${step.name}": script and environment have ${frame.length} bytes, at most ${releaseLimitBytes} are allowed`,
    );
  }
  return frame;
}

/** The step's own wish, relative to the workspace; otherwise the workspace, or the folder that the image names. */
function workingDirectoryOf(
  step: Pick<StageSpec, 'workingDirectory' | 'startsIn'>,
  image: Pick<ImageConfig, 'workingDirectory'>,
  workspace: string,
): string {
  if (step.workingDirectory === undefined) return step.startsIn === 'image' ? image.workingDirectory || '/' : workspace;
  return step.workingDirectory.startsWith('/') ? step.workingDirectory : `${workspace}/${step.workingDirectory}`;
}
