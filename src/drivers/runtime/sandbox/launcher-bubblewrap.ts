import { existsSync, statSync } from 'node:fs';
import { gateCapabilities, maskedProcPaths, readOnlyProcPaths, type SandboxView } from './launcher.ts';
import type { LaunchSpec } from './namespace-holder.ts';

/** Descriptor on which the holder hands bubblewrap the compiled filter. */
const seccompDescriptor = 5;

/** Descriptor from which bubblewrap reads its options: its command line can be seen from inside. */
const optionsDescriptor = 6;

export interface BubblewrapLaunch {
  readonly command: readonly string[];
  readonly options: readonly string[];
  readonly furniture: NonNullable<LaunchSpec['furniture']>;
}

/** bubblewrap for a sandbox whose root the holder has furnished. No part holds a secret. */
export function bubblewrapLaunch(program: string, view: SandboxView): BubblewrapLaunch {
  return {
    command: [program, '--args', String(optionsDescriptor), '--', ...view.command],
    options: bubblewrapOptions(view),
    furniture: {
      shmBytes: view.shmBytes,
      binds: [{ source: view.sys, target: '/sys', isWritable: false }, ...view.binds],
    },
  };
}

function bubblewrapOptions(view: SandboxView): readonly string[] {
  return [
    '--unshare-pid',
    // The gate reaps what the step leaves behind.
    '--as-pid-1',
    // The IPC namespace comes from the holder, whose /dev/mqueue belongs to it.
    '--unshare-uts',
    '--unshare-cgroup-try',
    ...(view.network === 'none' ? ['--unshare-net'] : []),
    '--hostname',
    view.hostname,
    '--die-with-parent',
    '--new-session',
    '--clearenv',
    '--cap-drop',
    'ALL',
    ...gateCapabilities.flatMap((capability) => ['--cap-add', capability]),
    // With all that is mounted there, devices included.
    '--dev-bind',
    view.root,
    '/',
    '--proc',
    '/proc',
    ...protectedProc(),
    '--chdir',
    view.workingDirectory,
    '--seccomp',
    String(seccompDescriptor),
  ];
}

/**
 * bubblewrap mounts a plain /proc: started as root it leaves /proc/sys writable for the step, whatever its capabilities
 * and its filter (writing `core_pattern` is root on the host). A bind onto a missing file would end bubblewrap.
 */
function protectedProc(): readonly string[] {
  const readOnly = readOnlyProcPaths.flatMap((path) => [
    path === '/proc/sys' ? '--ro-bind' : '--ro-bind-try',
    path,
    path,
  ]);
  const masked = maskedProcPaths
    .filter((path) => existsSync(path))
    .flatMap((path) =>
      statSync(path).isDirectory() ? ['--tmpfs', path, '--remount-ro', path] : ['--dev-bind', '/dev/null', path],
    );
  return [...readOnly, ...masked];
}
