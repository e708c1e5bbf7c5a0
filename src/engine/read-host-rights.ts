import { findPrivilegedFault } from '../core/admit-privileged.ts';
import type { HostTrust } from '../core/pipeline-settings.ts';
import type { DevicePlan, HostRightsPlan } from '../core/plan.ts';
import { asksForNothing } from './asks-for-nothing.ts';
import type { CompileRules } from './compile-input.ts';
import { type DocumentReader, type Fields, nounOf } from './document-reader.ts';
import type { HostRequest, WrittenHostVolume } from './host-request.ts';
import type { LintReport } from './lint-report.ts';
import type { Position } from './source-position.ts';
import type { StepDraft } from './workflow-draft.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** What a step asks of its host; `plan` is absent when it asks for nothing. */
export interface HostRights {
  readonly plan: HostRightsPlan | undefined;
  readonly requests: readonly HostRequest[];
}

/** Keys of a step by which it asks for rights on its host, in every dialect. */
export const hostRightsKeys: readonly string[] = ['privileged', 'devices', 'network_mode'];

/** One that asks for nothing of the host, and that only a trusted project may use in Drone and Woodpecker. */
const trustedKey = 'shm_size';

const maxDevices = 16;

const noRights: HostRights = { plan: undefined, requests: [] };

/** Reads what a step asks of its host. `hostFolders`: paths on the host by the name of a volume (Drone 1.x). */
export function readHostRights(
  reader: DocumentReader,
  fields: Fields,
  step: string,
  volumes: readonly WrittenHostVolume[],
  hostFolders: ReadonlyMap<string, string>,
): HostRights {
  if (volumes.length === 0 && ![...hostRightsKeys, trustedKey].some((key) => fields.has(key))) return noRights;
  const requests: HostRequest[] = [];
  const ask = (need: HostTrust, what: string, at: Position): void => void requests.push({ need, what, at });
  const privileged = fields.get('privileged');
  const isPrivileged = reader.boolean(privileged?.value, `"privileged" of step "${step}"`) ?? false;
  if (privileged && isPrivileged)
    ask('security', 'all rights on its host ("privileged")', reader.positionOf(privileged.key));
  const entry = fields.get('devices');
  const devices = entry && !asksForNothing(entry.value) ? readDevices(reader, entry.value, step, hostFolders) : [];
  if (entry && devices.length > 0) ask('security', 'devices of its host', reader.positionOf(entry.key));
  for (const { source, at } of volumes) ask('volumes', `the folder "${source}" of its host`, at);
  const usesHostNetwork = readNetworkMode(reader, fields.get('network_mode'), step);
  if (usesHostNetwork) ask('network', 'the network of its host', reader.positionOf(fields.get('network_mode')!.key));
  const isForRuntime = requests.length > 0;
  const shm = reader.rules.dialect === 'gantry' ? undefined : fields.get(trustedKey);
  const isUsual = !shm || asksForNothing(shm.value) || (shm.value.kind === 'scalar' && shm.value.text === '0');
  if (shm && !isUsual) ask('security', 'a size of its own for /dev/shm', reader.positionOf(shm.key));
  if (!isForRuntime) return { plan: undefined, requests };
  return {
    plan: {
      ...(isPrivileged ? { isPrivileged } : {}),
      ...(devices.length === 0 ? {} : { devices }),
      ...(volumes.length === 0
        ? {}
        : {
            volumes: volumes.map(({ source, target, isReadOnly }) => ({
              source,
              target,
              ...(isReadOnly ? { isReadOnly } : {}),
            })),
          }),
      ...(usesHostNetwork ? { usesHostNetwork } : {}),
    },
    requests,
  };
}

/** Maps of `name` (a volume of the host) and `path` (Drone 1.x), or texts `/dev/a:/dev/b:rwm` as compose has them. */
function readDevices(
  reader: DocumentReader,
  node: YamlNode,
  step: string,
  hostFolders: ReadonlyMap<string, string>,
): DevicePlan[] {
  const devices: DevicePlan[] = [];
  const items = node.kind === 'list' ? node.items : [node];
  if (items.length > maxDevices)
    reader.add('value.type', node, `a step may have ${maxDevices} devices, and "${step}" names ${items.length}`);
  for (const item of items.slice(0, maxDevices)) {
    let written: readonly [source: string, target: string, rights: string];
    if (item.kind === 'map') {
      const fields = reader.fields(item, `a device of step "${step}"`);
      const name = reader.text(fields?.get('name')?.value, `"name" of a device of step "${step}"`) ?? '';
      const source = hostFolders.get(name);
      if (source === undefined) {
        reader.add('volume.unknown', item, `no volume of the pipeline that is a path of the host is named "${name}"`);
        continue;
      }
      written = [source, reader.text(fields?.get('path')?.value, '"path" of a device') || source, 'rwm'];
    } else {
      const [source = '', target = source, rights = 'rwm'] = (
        reader.text(item, `a device of step "${step}"`) ?? ''
      ).split(':');
      written = [source, target, rights];
    }
    const [source, target, rights] = written;
    if (isDevice(source) && isDevice(target) && /^[rwm]{1,3}$/.test(rights)) devices.push({ source, target, rights });
    else reader.add('value.type', item, `${nounOf(item)} is no device of step "${step}": write "/dev/name"`);
  }
  return devices;
}

function isDevice(path: string): boolean {
  return /^\/dev\/[\w./-]{1,200}$/.test(path) && !path.split('/').includes('..');
}

function readNetworkMode(
  reader: DocumentReader,
  entry: { readonly key: YamlNode; readonly value: YamlNode } | undefined,
  step: string,
): true | undefined {
  const word = reader.text(entry?.value, `"network_mode" of step "${step}"`) ?? '';
  if (!entry || word === '' || word === 'default' || word === 'bridge') return undefined;
  if (word === 'host') return true;
  reader.add(
    'key.unsupported',
    entry.key,
    `Gantry does not support "network_mode: ${word}": steps of a workflow share a network of their own`,
  );
  return undefined;
}

/**
 * Finds what steps may not have: their project is not trusted with it, or the installation does not let the image run
 * privileged. Without rules (a file alone is checked) what they ask for is only told.
 */
export function judgeHostRights(
  report: LintReport,
  steps: readonly (StepDraft | Pick<StepDraft, 'name' | 'hostRequests'>)[],
  rules: Pick<CompileRules, 'trusts' | 'privilegedImages'> | undefined,
  isUntrusted: boolean,
): void {
  for (const step of steps) {
    for (const { need, what, at } of step.hostRequests ?? []) {
      if (!rules)
        report.add(
          'step.host-rights',
          at,
          `step "${step.name}" asks for ${what}: only a project trusted with "${need}" gets that`,
        );
      else if (isUntrusted)
        report.add(
          'step.untrusted',
          at,
          `step "${step.name}" asks for ${what}, which work from a fork, or of somebody who may not write, never gets`,
        );
      else if (!rules.trusts?.includes(need))
        report.add(
          'step.untrusted',
          at,
          `step "${step.name}" asks for ${what}, and the project is not trusted with "${need}"`,
        );
    }
    const at = step.hostRequests?.find(({ need }) => need === 'security')?.at;
    if (!rules?.privilegedImages || isUntrusted || !at || !('host' in step) || !step.host?.isPrivileged) continue;
    if (!rules.trusts?.includes('security')) continue;
    const fault = findPrivilegedFault(requestOf(step), rules.privilegedImages);
    if (fault !== undefined) report.add('step.privileged', at, fault.charAt(0).toLowerCase() + fault.slice(1));
  }
}

/** Whether a plugin runs privileged without saying so: the installation lists its image, and the project is trusted. */
export function isPrivilegedPlugin(step: StepDraft, rules: CompileRules | undefined, isUntrusted: boolean): boolean {
  if (isUntrusted || step.kind !== 'image' || step.background || step.host) return false;
  if (!rules?.trusts?.includes('security') || !rules.privilegedImages?.length) return false;
  return findPrivilegedFault(requestOf(step), rules.privilegedImages) === undefined;
}

function requestOf(step: StepDraft): Parameters<typeof findPrivilegedFault>[0] {
  return {
    stepName: step.name,
    image: step.image,
    isProjectTrusted: true,
    hasCommands: step.kind === 'commands',
    hasOwnEntrypoint: step.entrypoint !== undefined || step.command !== undefined,
    hasVolumes: step.volumes.length > 0 || (step.host?.volumes?.length ?? 0) > 0,
    variables: [...Object.keys(step.environment), ...step.secrets.map(({ variable }) => variable)],
  };
}
