import {
  addressFamilyVsock,
  allowedCalls,
  allowedPersonalities,
  errnoNoSuchCall,
  errnoNotPermitted,
  namespaceFlags,
  tiocsti,
} from './seccomp-table.ts';
import { syscallNumbers } from './syscall-numbers.ts';
import type { Architecture } from './system-calls.ts';

/** One classic BPF instruction: code, jump if true, jump if false, operand (linux/filter.h, struct sock_filter). */
interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** linux/audit.h: AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64. */
const auditArchitecture = { x86_64: 0xc000_003e, aarch64: 0xc000_00b7 } as const;

// linux/bpf_common.h: class | size or operation | mode.
const loadWord = 0x20;
const jumpAlways = 0x05;
const jumpEqual = 0x15;
const jumpGreaterOrEqual = 0x35;
const jumpAnyBit = 0x45;
const returnValue = 0x06;
// struct seccomp_data: nr, arch, instruction pointer, six arguments of 8 bytes (both architectures: low word first).
const offsetOfNumber = 0;
const offsetOfArchitecture = 4;
const offsetOfArgument = (index: number): number => 16 + 8 * index;
const allow = 0x7fff_0000;
const refuse = (errno: number): number => 0x0005_0000 | errno;
const killProcess = 0x8000_0000;

const op = (code: number, k: number, jt = 0, jf = 0): Instruction => ({ code, jt, jf, k: k >>> 0 });
const answer = (action: number): readonly Instruction[] => [op(returnValue, action)];

/** Numbers from `from` up to the next span all get the same treatment. */
interface Span {
  readonly from: number;
  readonly program: readonly Instruction[];
}

/** Compiles the table for an architecture into what `bwrap --seccomp` reads: an array of struct sock_filter. */
export function assembleSeccompFilter(architecture: Architecture): Buffer {
  const program = [
    op(loadWord, offsetOfArchitecture),
    op(jumpEqual, auditArchitecture[architecture], 1, 0),
    op(returnValue, killProcess),
    op(loadWord, offsetOfNumber),
    ...searchTree(spansOf(architecture)),
  ];
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach((instruction, index) => {
    bytes.writeUInt16LE(instruction.code, index * 8);
    bytes.writeUInt8(instruction.jt, index * 8 + 2);
    bytes.writeUInt8(instruction.jf, index * 8 + 3);
    bytes.writeUInt32LE(instruction.k, index * 8 + 4);
  });
  return bytes;
}

/** The number line cut into spans of equal treatment. */
function spansOf(architecture: Architecture): readonly Span[] {
  const numbers = syscallNumbers[architecture];
  const programs = new Map<number, readonly Instruction[]>();
  const allowed = answer(allow);
  const refused = answer(refuse(errnoNotPermitted));
  const unknown = answer(refuse(errnoNoSuchCall));
  for (const name of Object.keys(numbers)) programs.set(numbers[name]!, refused);
  for (const name of allowedCalls) {
    const number = numbers[name];
    if (number !== undefined) programs.set(number, allowed);
  }
  const conditional: Readonly<Record<string, readonly Instruction[]>> = {
    clone: [op(loadWord, offsetOfArgument(0)), op(jumpAnyBit, namespaceFlags, 0, 1), ...refused, ...allowed],
    // Its flags lie in memory, where a filter cannot look: ENOSYS makes libc use clone.
    clone3: unknown,
    ioctl: [op(loadWord, offsetOfArgument(1)), op(jumpEqual, tiocsti, 0, 1), ...refused, ...allowed],
    socket: [op(loadWord, offsetOfArgument(0)), op(jumpEqual, addressFamilyVsock, 0, 1), ...refused, ...allowed],
    personality: [
      op(loadWord, offsetOfArgument(0)),
      ...allowedPersonalities.flatMap((value) => [op(jumpEqual, value, 0, 1), ...allowed]),
      ...refused,
    ],
  };
  for (const [name, program] of Object.entries(conditional)) {
    const number = numbers[name];
    if (number !== undefined) programs.set(number, program);
  }
  const highest = Math.max(...programs.keys());
  const spans: Span[] = [];
  // Beyond the highest: newer calls, and the x32 numbers from 0x40000000 on.
  for (let number = 0; number <= highest + 1; number += 1) {
    const program = programs.get(number) ?? unknown;
    if (spans.at(-1)?.program !== program) spans.push({ from: number, program });
  }
  return spans;
}

/** A balanced tree of comparisons: about seven per call instead of one per entry of the table. */
function searchTree(spans: readonly Span[]): readonly Instruction[] {
  if (spans.length === 1) return spans[0]!.program;
  const middle = spans.length >> 1;
  const left = searchTree(spans.slice(0, middle));
  const right = searchTree(spans.slice(middle));
  // Conditional jumps reach 255 instructions, `ja` reaches all.
  return [op(jumpGreaterOrEqual, spans[middle]!.from, 0, 1), op(jumpAlways, left.length), ...left, ...right];
}
