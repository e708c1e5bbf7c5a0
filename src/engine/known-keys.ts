/**
 * Keys that a dialect knows and Gantry does not support: each is refused at its line, since a file that asks for a
 * service or a volume must not run without it (pipelines.md 10.2, 10.3).
 */
interface KnownKeys {
  readonly workflow: ReadonlySet<string>;
  readonly step: ReadonlySet<string>;
  /** Known, and without effect there as well as here. */
  readonly withoutEffect: { readonly workflow: ReadonlySet<string>; readonly step: ReadonlySet<string> };
}

const droneWorkflow = [
  'platform',
  'concurrency',
  'node',
  'services',
  'volumes',
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

const droneStep = [
  'detach',
  'privileged',
  'shell',
  'network_mode',
  'volumes',
  'devices',
  'dns',
  'dns_search',
  'extra_hosts',
  'mem_limit',
  'memswap_limit',
  'shm_size',
  'resources',
];

export const unsupportedKeys: Readonly<Record<'drone1' | 'gantry', KnownKeys>> = {
  drone1: {
    workflow: new Set(droneWorkflow),
    step: new Set(droneStep),
    withoutEffect: { workflow: new Set(['version', 'pool']), step: new Set(['ports', 'build', 'push']) },
  },
  gantry: {
    workflow: new Set([...droneWorkflow, 'parameters', 'include', 'pool']),
    step: new Set([
      ...droneStep,
      'approve',
      'build',
      'cache',
      'deploy',
      'gate',
      'metrics',
      'model',
      'ports',
      'push',
      'report',
      'retry',
      'reuse',
      'scan',
      'verify',
    ]),
    withoutEffect: { workflow: new Set(['version']), step: new Set() },
  },
};
