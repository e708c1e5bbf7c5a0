import {
  addressFamilyVsock,
  allowedCalls,
  allowedPersonalities,
  errnoNoSuchCall,
  errnoNotPermitted,
  namespaceFlags,
  tiocsti,
} from './seccomp-table.ts';
import type { Architecture } from './system-calls.ts';

const allow = 'SCMP_ACT_ALLOW';
const refuse = 'SCMP_ACT_ERRNO';

/** The same table as an OCI runtime configuration wants it (runtime-spec 1.0, "linux.seccomp"). */
export function ociSeccomp(architecture: Architecture): Readonly<Record<string, unknown>> {
  const argument = (index: number, value: number, operator: string, valueTwo = 0): object => ({
    index,
    value,
    valueTwo,
    op: `SCMP_CMP_${operator}`,
  });
  return {
    defaultAction: refuse,
    defaultErrnoRet: errnoNotPermitted,
    architectures: [architecture === 'x86_64' ? 'SCMP_ARCH_X86_64' : 'SCMP_ARCH_AARCH64'],
    syscalls: [
      { names: allowedCalls, action: allow },
      { names: ['clone'], action: allow, args: [argument(0, namespaceFlags, 'MASKED_EQ', 0)] },
      { names: ['clone3'], action: refuse, errnoRet: errnoNoSuchCall },
      { names: ['socket'], action: allow, args: [argument(0, addressFamilyVsock, 'NE')] },
      ...allowedPersonalities.map((value) => ({
        names: ['personality'],
        action: allow,
        args: [argument(0, value, 'EQ')],
      })),
      // The kernel reads 32 bits of the command while "not equal" compares 64: allowed is what differs in one of the 32.
      ...Array.from({ length: 32 }, (_, bit) => {
        const mask = 2 ** bit;
        return {
          names: ['ioctl'],
          action: allow,
          args: [argument(1, mask, 'MASKED_EQ', (tiocsti & mask) === 0 ? mask : 0)],
        };
      }),
    ],
  };
}
