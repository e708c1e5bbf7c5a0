import type { Recipe } from './recipe.ts';
import { runProgram } from './run-program.ts';

/** Read-only, no network, no capabilities, the host's /proc/sys out of reach. */
const sandboxOptions =
  '--unshare-all --die-with-parent --cap-drop ALL --proc /proc --ro-bind /proc/sys /proc/sys --dev /dev --tmpfs /tmp ' +
  '--clearenv --setenv HOME /tmp';

/** A compiler that builds its library first takes its time, and a busy machine is slow, not wrong. */
const timeoutMs = 600_000;

/** Runs a recipe's smoke commands in the finished root; throws with the command that failed and its last words. */
export async function smokeTest(
  layers: readonly string[],
  recipe: Recipe,
  signal: AbortSignal | undefined,
): Promise<void> {
  const environment = Object.entries(recipe.environment).flatMap(([name, value]) => ['--setenv', name, value]);
  for (const command of recipe.smoke) {
    const sandbox = ['bwrap', '--ro-bind', '/mnt', '/', ...sandboxOptions.split(' '), ...environment, ...command];
    await runProgram('unshare', [...mountAndEnter(layers), ...sandbox], { signal, timeoutMs }).catch(
      (cause: unknown) => {
        const because = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`the smoke test "${command.join(' ')}" of ${recipe.name} failed: ${because}`, { cause });
      },
    );
  }
}

/** `unshare` arguments that mount the layers on /mnt in a mount namespace of their own and then run what follows. */
function mountAndEnter(layers: readonly string[]): string[] {
  const [mount, source] =
    layers.length === 1
      ? ['mount --bind "$1" /mnt', layers[0]!]
      : ['mount -t overlay overlay -o "ro,lowerdir=$1" /mnt', [...layers].reverse().join(':')];
  const isRoot = process.getuid?.() === 0;
  return [isRoot ? '-m' : '-Urm', '--', 'sh', '-c', `${mount} && shift && exec "$@"`, 'sh', source];
}
