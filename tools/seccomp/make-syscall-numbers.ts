/**
 * Writes the system call numbers of both architectures from the headers of Debian's linux-libc-dev:
 *
 *     npx node tools/seccomp/make-syscall-numbers.ts > src/drivers/runtime/sandbox/syscall-numbers.ts
 *
 * aarch64 uses the kernel's generic table (asm-generic/unistd.h), so its header is on every architecture.
 */
import { readFileSync } from 'node:fs';

const x86Header = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h';
const genericHeader = '/usr/include/asm-generic/unistd.h';

/** `#define __NR_read 0` → read: 0 */
function directNumbers(text: string, prefix: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const [, name, number] of text.matchAll(new RegExp(`^#define ${prefix}(\\w+)\\s+(\\d+)`, 'gm'))) {
    found.set(name!, Number(number));
  }
  return found;
}

function x86Numbers(): Map<string, number> {
  return directNumbers(readFileSync(x86Header, 'utf8'), '__NR_');
}

/** Names that the generic table has for 32-bit machines, old ABIs or none at all. */
function isForOthers(name: string): boolean {
  return name.endsWith('time64') || /^(clock_.*64|arch_specific_syscall|syscalls|sync_file_range2)$/.test(name);
}

function aarch64Numbers(): Map<string, number> {
  const text = readFileSync(genericHeader, 'utf8');
  const numbers = directNumbers(text, '__NR_');
  const wide = directNumbers(text, '__NR3264_');
  // `#define __NR_lseek __NR3264_lseek`: the first definition of each number is the one for 64-bit machines.
  const named = new Set<string>();
  for (const [, name, source] of text.matchAll(/^#define __NR_(\w+)\s+__NR3264_(\w+)/gm)) {
    const number = wide.get(source!);
    if (number === undefined || named.has(source!)) continue;
    named.add(source!);
    numbers.set(name!, number);
  }
  for (const name of numbers.keys()) if (isForOthers(name)) numbers.delete(name);
  return numbers;
}

function block(name: string, numbers: Map<string, number>): string {
  const lines = [...numbers]
    .toSorted(([, left], [, right]) => left - right)
    .map(([call, number]) => `    ${call}: ${number},`);
  return `  ${name}: {\n${lines.join('\n')}\n  },`;
}

process.stdout.write(`/** System call numbers by architecture. Made by tools/seccomp/make-syscall-numbers.ts; do not edit. */
export const syscallNumbers: Readonly<Record<'x86_64' | 'aarch64', Readonly<Record<string, number>>>> = {
${block('x86_64', x86Numbers())}
${block('aarch64', aarch64Numbers())}
};
`);
