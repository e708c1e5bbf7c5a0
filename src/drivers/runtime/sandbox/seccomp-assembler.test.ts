import { describe, expect, it } from 'vitest';
import { ociSeccomp } from './oci-seccomp.ts';
import { assembleSeccompFilter } from './seccomp-assembler.ts';
import { allowedCalls } from './seccomp-table.ts';
import { syscallNumbers } from './syscall-numbers.ts';
import type { Architecture } from './system-calls.ts';

const allow = 0x7fff_0000;
const notPermitted = 0x0005_0001;
const noSuchCall = 0x0005_0026;
const audit = { x86_64: 0xc000_003e, aarch64: 0xc000_00b7 } as const;

/** What the kernel would answer: the few classic BPF instructions that filters consist of. */
function judge(filter: Buffer, call: { arch: number; number: number; args?: readonly bigint[] }): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number, 0);
  data.writeUInt32LE(call.arch, 4);
  (call.args ?? []).forEach((value, index) => data.writeBigUInt64LE(value, 16 + index * 8));
  let accumulator = 0;
  for (let at = 0; at * 8 < filter.length; ) {
    const code = filter.readUInt16LE(at * 8);
    const [jt, jf] = [filter.readUInt8(at * 8 + 2), filter.readUInt8(at * 8 + 3)];
    const k = filter.readUInt32LE(at * 8 + 4);
    at += 1;
    if (code === 0x20) accumulator = data.readUInt32LE(k);
    else if (code === 0x05) at += k;
    else if (code === 0x15) at += accumulator === k ? jt : jf;
    else if (code === 0x35) at += accumulator >= k ? jt : jf;
    else if (code === 0x45) at += (accumulator & k) === 0 ? jf : jt;
    else if (code === 0x06) return k;
    else throw new Error(`unknown instruction ${code}`);
  }
  throw new Error('the filter ran off its end');
}

describe.each(['x86_64', 'aarch64'] as const)('assembleSeccompFilter for %s', (architecture: Architecture) => {
  const filter = assembleSeccompFilter(architecture);
  const numbers = syscallNumbers[architecture];
  const call = (name: string, ...args: bigint[]): number =>
    judge(filter, { arch: audit[architecture], number: numbers[name]!, args });

  it('allows every call of the table that the architecture has, and no other', () => {
    const conditional = new Set(['clone', 'clone3', 'ioctl', 'socket', 'personality']);
    for (const [name, number] of Object.entries(numbers)) {
      if (conditional.has(name)) continue;
      const expected = allowedCalls.includes(name) ? allow : notPermitted;
      expect([name, judge(filter, { arch: audit[architecture], number })]).toEqual([name, expected]);
    }
  });

  it('refuses what escapes begin with', () => {
    for (const name of ['mount', 'unshare', 'setns', 'ptrace', 'bpf', 'keyctl', 'perf_event_open', 'init_module']) {
      expect([name, call(name)]).toEqual([name, notPermitted]);
    }
    for (const name of ['io_uring_setup', 'pivot_root', 'kexec_load', 'process_vm_readv', 'userfaultfd', 'open_tree']) {
      expect([name, call(name)]).toEqual([name, notPermitted]);
    }
  });

  it('allows clone without namespaces, whatever lies above the 32 bits that the kernel reads', () => {
    expect(call('clone', 0x0120_0011n)).toBe(allow);
    for (const flag of [0x2_0000n, 0x200_0000n, 0x400_0000n, 0x800_0000n, 0x1000_0000n, 0x2000_0000n, 0x4000_0000n]) {
      expect(call('clone', flag | 17n)).toBe(notPermitted);
    }
    expect(call('clone3')).toBe(noSuchCall);
  });

  it('refuses TIOCSTI also when higher bits are set, and allows other requests', () => {
    expect(call('ioctl', 0n, 0x5412n)).toBe(notPermitted);
    expect(call('ioctl', 0n, 0x1_0000_5412n)).toBe(notPermitted);
    expect(call('ioctl', 0n, 0x5413n)).toBe(allow);
  });

  it('refuses sockets to the hypervisor and unusual personalities', () => {
    expect(call('socket', 40n)).toBe(notPermitted);
    expect(call('socket', 2n)).toBe(allow);
    expect(call('personality', 0xffff_ffffn)).toBe(allow);
    expect(call('personality', 0x40_0000n)).toBe(notPermitted);
  });

  it('answers ENOSYS to calls newer than the table, and kills calls of another architecture', () => {
    expect(judge(filter, { arch: audit[architecture], number: 5_000 })).toBe(noSuchCall);
    expect(judge(filter, { arch: audit[architecture], number: 0x4000_0001 })).toBe(noSuchCall);
    expect(judge(filter, { arch: 0x4000_0003, number: 1 })).toBe(0x8000_0000);
  });
});

describe('ociSeccomp', () => {
  it('allows every ioctl but those whose 32 bits are TIOCSTI', () => {
    interface Rule {
      readonly names: readonly string[];
      readonly action: string;
      readonly args?: readonly { index: number; value: number; valueTwo: number; op: string }[];
    }
    const rules = (ociSeccomp('x86_64') as { syscalls: readonly Rule[] }).syscalls.filter((rule) =>
      rule.names.includes('ioctl'),
    );
    const isAllowed = (request: bigint): boolean =>
      rules.some((rule) => (rule.args ?? []).every((arg) => (request & BigInt(arg.value)) === BigInt(arg.valueTwo)));
    expect(isAllowed(0x5412n)).toBe(false);
    expect(isAllowed(0xff_0000_5412n)).toBe(false);
    for (const request of [0x5401n, 0x5413n, 0n, 0xffff_ffffn]) expect(isAllowed(request)).toBe(true);
  });

  it('lists the same calls as the filter', () => {
    const [first] = (ociSeccomp('aarch64') as { syscalls: readonly { names: readonly string[] }[] }).syscalls;
    expect(first?.names).toEqual(allowedCalls);
  });
});
