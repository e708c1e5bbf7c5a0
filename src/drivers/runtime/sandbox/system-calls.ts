import { syscallNumbers } from './syscall-numbers.ts';

export type Architecture = 'x86_64' | 'aarch64';

/** The kernel's name of the architecture that Node runs on; `undefined` where the sandbox has no table. */
export function findArchitecture(nodeArchitecture: string = process.arch): Architecture | undefined {
  if (nodeArchitecture === 'x64') return 'x86_64';
  return nodeArchitecture === 'arm64' ? 'aarch64' : undefined;
}

/** `name=number` for a program that makes these calls by number. */
export function syscallArguments(
  names: readonly string[],
  architecture: Architecture = findArchitecture() ?? 'x86_64',
): readonly string[] {
  return names.map((name) => {
    const number = syscallNumbers[architecture][name];
    if (number === undefined) throw new TypeError(`Cannot call ${name}: ${architecture} has no such system call`);
    return `${name}=${number}`;
  });
}
