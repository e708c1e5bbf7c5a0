import { gateCapabilities, maskedProcPaths, readOnlyProcPaths, type SandboxView } from './launcher.ts';
import { ociSeccomp } from './oci-seccomp.ts';

export interface RuncLaunch {
  readonly command: readonly string[];
  readonly file: { readonly path: string; readonly text: string };
}

/**
 * runc in the foreground, so that the exit code reaches the holder. Bundle and state lie in the holder's own memory and
 * vanish with it; the configuration holds the gate's command and nothing of the step.
 */
export function runcLaunch(
  program: string,
  view: SandboxView & { readonly launcherFolder: string; readonly cgroupName: string; readonly cgroupsPath: string },
): RuncLaunch {
  const name = view.cgroupName.replaceAll('/', '.');
  const bundle = `${view.launcherFolder}/${name}`;
  return {
    command: [
      program,
      '--root',
      `${view.launcherFolder}/state`,
      'run',
      // The gate and its status pipe: descriptors 3 and 4.
      '--preserve-fds',
      '2',
      '--bundle',
      bundle,
      name,
    ],
    file: { path: `${bundle}/config.json`, text: JSON.stringify(ociConfiguration(view)) },
  };
}

/** OCI runtime-spec 1.0. */
function ociConfiguration(view: SandboxView & { readonly cgroupsPath: string }): object {
  return {
    ociVersion: '1.0.2',
    hostname: view.hostname,
    root: { path: view.root, readonly: false },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: view.command,
      env: [],
      cwd: view.workingDirectory,
      noNewPrivileges: true,
      capabilities: {
        bounding: gateCapabilities,
        effective: gateCapabilities,
        permitted: gateCapabilities,
        inheritable: [],
        ambient: [],
      },
    },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
      },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
      },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'shm',
        options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${view.shmBytes}`],
      },
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/sys', type: 'bind', source: view.sys, options: ['rbind', 'ro', 'nosuid', 'noexec', 'nodev'] },
      ...view.binds.map((bind) => ({
        destination: bind.target,
        type: 'bind',
        source: bind.source,
        options: ['rbind', bind.isWritable ? 'rw' : 'ro', 'nosuid', 'nodev'],
      })),
    ],
    linux: {
      cgroupsPath: view.cgroupsPath,
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      namespaces: [
        { type: 'pid' },
        { type: 'ipc' },
        { type: 'uts' },
        { type: 'mount' },
        { type: 'cgroup' },
        // Without an entry the container stays in the network namespace of the holder: the job's.
        ...(view.network === 'none' ? [{ type: 'network' }] : []),
      ],
      maskedPaths: maskedProcPaths,
      readonlyPaths: readOnlyProcPaths,
      seccomp: ociSeccomp(view.architecture),
    },
  };
}
