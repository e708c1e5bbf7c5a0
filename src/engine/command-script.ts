import type { Dialect } from '../core/plan.ts';

/** Variables with which a checkout or a fetch of a private repository signs in (pipelines.md 8, 12.2). */
const netrcVariables = ['DRONE_NETRC_MACHINE', 'DRONE_NETRC_USERNAME', 'DRONE_NETRC_PASSWORD', 'DRONE_NETRC_FILE'];

/** Names that no command should see: they served the script. */
const scriptVariables: Readonly<Record<Dialect, readonly string[]>> = {
  drone08: ['CI_SCRIPT'],
  drone1: ['DRONE_SCRIPT'],
  woodpecker: ['CI_SCRIPT'],
  gantry: ['DRONE_SCRIPT', 'GANTRY_SCRIPT'],
};

/**
 * The commands of a step as one script for `/bin/sh` of any image (pipelines.md 8): each is shown as `+ command` before
 * it runs, the first that fails ends the step, and `cd` and `export` reach the commands after. Only what a POSIX shell
 * has built in is used. It is to be given to the shell as a file or an open descriptor: neither an argument nor a
 * variable can hold a long one, and a script on standard input would be eaten by a command that reads it.
 */
export function commandScript(commands: readonly string[], dialect: Dialect): string {
  const lines = [
    'if [ -n "${DRONE_NETRC_MACHINE:-}" ]; then',
    '  (',
    '    umask 077',
    `    printf 'machine %s\\nlogin %s\\npassword %s\\n' "$DRONE_NETRC_MACHINE" "\${DRONE_NETRC_USERNAME:-}" "\${DRONE_NETRC_PASSWORD:-}" >"\${HOME:-/root}/.netrc"`,
    // Where nobody may write there, the step does without.
    '  ) 2>/dev/null || :',
    'fi',
    `unset ${[...netrcVariables, ...scriptVariables[dialect]].join(' ')}`,
    'set -e',
  ];
  for (const command of commands) lines.push('', `printf '%s\\n' ${shellQuote(`+ ${command}`)}`, command);
  return `${lines.join('\n')}\n`;
}

/** A text as one word of a POSIX shell. */
function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
