import { runProgram } from './run-program.ts';

/** Runs a recipe's smoke commands in the finished root: read-only, no network, no capabilities, as an ordinary user. */
export async function smokeTest(
  layers: readonly string[],
  recipe: {
    readonly name: string;
    readonly smoke: readonly (readonly string[])[];
    readonly environment: Readonly<Record<string, string>>;
  },
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const command of recipe.smoke) {
    const sandbox = [
      ...[
        '--unshare-all',
        '--die-with-parent',
        '--cap-drop',
        'ALL',
        '--proc',
        '/proc',
        '--dev',
        '/dev',
        '--tmpfs',
        '/tmp',
      ],
      ...['--ro-bind', '/proc/sys', '/proc/sys', '--clearenv', '--setenv', 'HOME', '/tmp'],
      ...Object.entries(recipe.environment).flatMap(([name, value]) => ['--setenv', name, value]),
    ];
    await runProgram('unshare', [...mountAndEnter(layers), 'bwrap', '--ro-bind', '/mnt', '/', ...sandbox, ...command], {
      signal,
      timeoutMs: 60_000,
    }).catch((error: unknown) => {
      throw new Error(
        `the smoke test "${command.join(' ')}" of ${recipe.name} failed: ${error instanceof Error ? error.message : error}`,
        {
          cause: error,
        },
      );
    });
  }
}

/** `unshare` arguments that mount the layers on /mnt in a mount namespace of their own and then run what follows. */
function mountAndEnter(layers: readonly string[]): string[] {
  const [mount, ...rest] =
    layers.length === 1
      ? ['mount --bind "$1" /mnt', layers[0]!]
      : ['mount -t overlay overlay -o "ro,lowerdir=$1" /mnt', [...layers].reverse().join(':')];
  const isRoot = process.getuid?.() === 0;
  return [...(isRoot ? ['-m'] : ['-Urm']), '--', 'sh', '-c', `${mount} && shift && exec "$@"`, 'sh', ...rest];
}
