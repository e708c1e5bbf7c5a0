import type { Dialect } from '../core/plan.ts';

/**
 * Keys that a dialect knows and Gantry does not support: each is refused at its line, since a file that asks for a
 * device or a network must not run without it (pipelines.md 9.1, 9.2, 10.2, 10.3, 11.2, 11.3).
 */
interface KnownKeys {
  readonly workflow: ReadonlySet<string>;
  readonly step: ReadonlySet<string>;
  /** Of a step: what bounds it (`readLimits`). */
  readonly limits: ReadonlySet<string>;
  /** Known, and without effect there as well as here. */
  readonly withoutEffect: { readonly workflow: ReadonlySet<string>; readonly step: ReadonlySet<string> };
}

const droneWorkflow = [
  'image_pull_secrets',
  'metadata',
  'node_name',
  'node_selector',
  'service_account_name',
  'tolerations',
  'dns_config',
  'host_aliases',
  'resources',
];

const droneStep = ['shell', 'dns', 'dns_search', 'extra_hosts'];

/** Shares of what is there, and swap, which no step has: a file that says them asks for nothing that it would miss. */
const shareKeys = ['cpu_shares', 'cpuset', 'memswap_limit', 'mem_swappiness'];

/** Of a container in Drone 0.8 and in older Woodpecker. */
const containerKeys = [
  'extra_hosts',
  'tmpfs',
  'networks',
  'dns',
  'dns_search',
  'sysctls',
  'ulimits',
  'cap_add',
  'cap_drop',
];

export const unsupportedKeys: Readonly<Record<Dialect, KnownKeys>> = {
  drone08: {
    workflow: new Set(['networks', 'cache', 'secrets']),
    step: new Set([...containerKeys, 'auth_config', 'isolation', 'ipc_mode', 'labels']),
    limits: new Set(['cpu_quota', 'mem_limit', 'shm_size']),
    withoutEffect: { workflow: new Set(), step: new Set(shareKeys) },
  },
  woodpecker: {
    workflow: new Set(['concurrency', 'networks', 'cache']),
    step: new Set(containerKeys),
    limits: new Set(['cpu_quota', 'mem_limit', 'shm_size']),
    withoutEffect: { workflow: new Set(), step: new Set(['backend_options', ...shareKeys]) },
  },
  drone1: {
    workflow: new Set(droneWorkflow),
    step: new Set(droneStep),
    limits: new Set(['mem_limit', 'resources', 'shm_size']),
    withoutEffect: { workflow: new Set(['version', 'pool']), step: new Set(['build', 'push', ...shareKeys]) },
  },
  gantry: {
    workflow: new Set([...droneWorkflow, 'pool']),
    step: new Set([
      ...droneStep,
      ...shareKeys,
      'approve',
      'deploy',
      'gate',
      'mem_limit',
      'metrics',
      'model',
      'push',
      'report',
      'scan',
      'verify',
    ]),
    limits: new Set(['resources', 'shm_size']),
    withoutEffect: { workflow: new Set(['version']), step: new Set() },
  },
};
