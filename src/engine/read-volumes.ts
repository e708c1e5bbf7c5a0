import { findHostFolderFault } from '../core/host-folder.ts';
import type { VolumeMountPlan, VolumePlan } from '../core/plan.ts';
import { asksForNothing } from './asks-for-nothing.ts';
import { type DocumentReader, type Fields, nounOf } from './document-reader.ts';
import type { WrittenHostVolume } from './host-request.ts';
import { readSizeBytes } from './read-size.ts';
import { type Position, placeOf } from './source-position.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** Names that Drone keeps for itself (pipelines.md 10.5). */
const reservedNames: ReadonlySet<string> = new Set(['workspace', '_workspace', '_docker_socket']);
const maxVolumes = 32;

/** Kinds of volumes that only Kubernetes has. */
const kubernetesKinds: ReadonlySet<string> = new Set(['claim', 'config_map', 'secret']);

/** The volumes of a pipeline: those that can be had, and the names of all, so that one mistake is one finding. */
export interface ReadVolumes {
  readonly volumes: readonly VolumePlan[];
  readonly names: ReadonlySet<string>;
  /** Paths on the host, by the names of the volumes that are such. */
  readonly hostFolders: ReadonlyMap<string, string>;
}

/** `volumes` of a pipeline of Drone 1.x and `.gantry.yml`: temp volumes; anything else is refused at its line. */
export function readVolumes(reader: DocumentReader, node: YamlNode | undefined): ReadVolumes {
  const volumes: VolumePlan[] = [];
  const names = new Set<string>();
  const hostFolders = new Map<string, string>();
  const nodes = reader.items(node, '"volumes" of a pipeline');
  if (node && nodes.length > maxVolumes)
    reader.add('volume.name', node, `a pipeline may have ${maxVolumes} volumes, and this one has ${nodes.length}`);
  for (const item of nodes.slice(0, maxVolumes)) {
    const fields = reader.fields(item, 'a volume');
    if (!fields) continue;
    const name = reader.text(fields.get('name')?.value, '"name" of a volume') ?? '';
    if (!isVolumeName(name) || names.has(name) || reservedNames.has(name)) {
      const why = names.has(name) ? 'stands here twice' : 'is no name for one';
      reader.add(
        'volume.name',
        fields.get('name')?.value ?? item,
        `a volume needs a name of its own: "${name}" ${why}`,
      );
      continue;
    }
    names.add(name);
    const host = fields.get('host');
    if (host) {
      for (const [key, entry] of fields)
        if (key !== 'name' && key !== 'host' && key !== 'temp')
          reader.add('key.unknown', entry.key, `a volume has no key "${key}"`);
      const path = readHostFolder(reader, host.value, name);
      if (path !== undefined) hostFolders.set(name, path);
      continue;
    }
    const volume = readVolume(reader, fields, item, name);
    if (volume) volumes.push(volume);
  }
  return { volumes, names, hostFolders };
}

/** `host: {path}`: only a trusted project has it mounted, and some folders nobody. */
function readHostFolder(reader: DocumentReader, node: YamlNode, name: string): string | undefined {
  const fields = reader.fields(node, `"host" of the volume "${name}"`);
  const path = reader.text(fields?.get('path')?.value, `"path" of the volume "${name}"`) ?? '';
  for (const [key, entry] of fields ?? [])
    if (key !== 'path') reader.add('key.unknown', entry.key, `"host" of a volume has no key "${key}"`);
  // A device is a path of the host too, and is given to steps as one.
  const fault = path.startsWith('/dev/') ? undefined : findHostFolderFault(path);
  if (fault === undefined) return path;
  reader.add('volume.host-path', node, `the volume "${name}" cannot be "${path}" of the host: ${fault}`);
  return undefined;
}

function readVolume(reader: DocumentReader, fields: Fields, item: YamlNode, name: string): VolumePlan | undefined {
  for (const [key, entry] of fields) {
    if (key === 'name' || key === 'temp') continue;
    if (kubernetesKinds.has(key))
      reader.add('key.unsupported', entry.key, `Gantry does not support "${key}" of the volume "${name}"`);
    else reader.add('key.unknown', entry.key, `a volume has no key "${key}"`);
  }
  const temp = fields.get('temp');
  if (!temp) {
    if ([...fields.keys()].every((key) => key === 'name'))
      reader.add('value.type', item, `the volume "${name}" does not say what it is: write "temp: {}"`);
    return undefined;
  }
  const about = reader.fields(temp.value, `"temp" of the volume "${name}"`);
  for (const [key, entry] of about ?? [])
    if (key !== 'medium' && key !== 'size_limit')
      reader.add('key.unknown', entry.key, `"temp" of a volume has no key "${key}"`);
  const mediumNode = about?.get('medium')?.value;
  const medium = reader.text(mediumNode, `"medium" of the volume "${name}"`) ?? '';
  if (mediumNode && medium !== '' && medium !== 'memory')
    reader.add('value.unknown', mediumNode, `"medium" of the volume "${name}" is "${medium}", and takes memory`);
  const limit = about?.get('size_limit');
  const sizeBytes = limit && readSizeBytes(reader, limit.value, `"size_limit" of the volume "${name}"`);
  if (medium === 'memory') return { name, medium: 'memory', ...(sizeBytes === undefined ? {} : { sizeBytes }) };
  if (limit && sizeBytes !== undefined)
    reader.add(
      'key.no-effect',
      limit.key,
      `"size_limit" counts only beside "medium: memory": on disk the limit of the step counts`,
    );
  return { name, medium: 'disk' };
}

/** What a step mounts: volumes of its workflow, and folders of the host. */
export interface ReadMounts {
  readonly mounts: readonly VolumeMountPlan[];
  readonly hostVolumes: readonly WrittenHostVolume[];
}

const noMounts: ReadMounts = { mounts: [], hostVolumes: [] };

/** `volumes` of a step of Drone 1.x and `.gantry.yml`: a volume of the pipeline under a path. */
export function readVolumeMounts(
  reader: DocumentReader,
  node: YamlNode | undefined,
  step: string,
  { names, hostFolders }: Pick<ReadVolumes, 'names' | 'hostFolders'>,
): ReadMounts {
  if (!node) return noMounts;
  const mounts: VolumeMountPlan[] = [];
  const hostVolumes: WrittenHostVolume[] = [];
  for (const item of reader.items(node, `"volumes" of step "${step}"`).slice(0, maxVolumes)) {
    const fields = reader.fields(item, `a volume of step "${step}"`);
    if (!fields) continue;
    for (const [key, entry] of fields)
      if (key !== 'name' && key !== 'path')
        reader.add(
          key === 'sub_path' ? 'key.unsupported' : 'key.unknown',
          entry.key,
          `a volume of a step has no key "${key}" here`,
        );
    const name = reader.text(fields.get('name')?.value, `"name" of a volume of step "${step}"`) ?? '';
    const path = reader.text(fields.get('path')?.value, `"path" of a volume of step "${step}"`) ?? '';
    if (!names.has(name))
      reader.add('volume.unknown', fields.get('name')?.value ?? item, `no volume of the pipeline is named "${name}"`);
    else if (addMount(reader, fields.get('path')?.value ?? item, mounts, { name, target: path })) {
      const source = hostFolders.get(name);
      if (source !== undefined) hostVolumes.push({ source, target: path, at: reader.positionOf(item) });
    }
  }
  return { mounts: mounts.filter(({ name }) => !hostFolders.has(name)), hostVolumes };
}

/**
 * `volumes` of a step of Drone 0.8 and Woodpecker: `name:/path[:mode]`. A named volume is the workflow's own and starts
 * empty; a path is a folder of the host.
 */
export function readContainerVolumes(reader: DocumentReader, node: YamlNode | undefined, step: string): ReadMounts {
  if (!node) return noMounts;
  const mounts: VolumeMountPlan[] = [];
  const hostVolumes: WrittenHostVolume[] = [];
  for (const { text, node: item } of reader.texts(node, `"volumes" of step "${step}"`).slice(0, maxVolumes)) {
    const [name = '', target = '', mode = 'rw', ...rest] = text.split(':');
    if (/^[/.~]/.test(name) || name.includes('/') || name.includes('\\')) {
      const fault = findHostFolderFault(name);
      if (target === '' || rest.length > 0)
        reader.add('value.type', item, `${nounOf(item)} is no volume of step "${step}": write "name:/path"`);
      else if (fault !== undefined)
        reader.add(
          'volume.host-path',
          item,
          `the folder "${name}" of the host is not mounted in step "${step}": ${fault}`,
        );
      else if (addMount(reader, item, mounts, { name, target }))
        hostVolumes.push({
          source: name,
          target,
          ...(mode.split(',').includes('ro') ? { isReadOnly: true } : {}),
          at: reader.positionOf(item),
        });
      continue;
    }
    const isReadOnly = mode.split(',').includes('ro');
    if (!isVolumeName(name) || rest.length > 0 || !/^(?:rw|ro|z|Z)(?:,(?:rw|ro|z|Z))*$/.test(mode)) {
      reader.add('value.type', item, `${nounOf(item)} is no volume of step "${step}": write "name:/path"`);
      continue;
    }
    const isAdded = addMount(reader, item, mounts, { name, target, ...(isReadOnly ? { isReadOnly } : {}) });
    if (isAdded)
      reader.add(
        'volume.not-kept',
        item,
        `the volume "${name}" starts empty in each workflow: what an earlier pipeline left in it is not there`,
      );
  }
  return { mounts: mounts.filter(({ name }) => !name.includes('/')), hostVolumes };
}

/** `volumes` at the top of a file of Drone 0.8 or an older Woodpecker: names with settings of a volume driver. */
export function readVolumeDrivers(reader: DocumentReader, node: YamlNode | undefined): void {
  if (!node || asksForNothing(node)) return;
  for (const [name, { value }] of reader.fields(node, '"volumes"') ?? []) {
    const fields = reader.fields(value, `the volume "${name}"`);
    for (const [key, entry] of fields ?? []) {
      const isLocal = key === 'driver' && entry.value.kind === 'scalar' && entry.value.text === 'local';
      if (!isLocal && !asksForNothing(entry.value))
        reader.add('key.unsupported', entry.key, `Gantry does not support "${key}" of the volume "${name}"`);
    }
  }
}

/** The volumes that the steps of a job name: what Drone 0.8 and Woodpecker need not declare. */
export function namedVolumes(
  steps: readonly { readonly volumes: readonly VolumeMountPlan[] }[],
): readonly VolumePlan[] {
  const names = new Set(steps.flatMap(({ volumes }) => volumes.map(({ name }) => name)));
  return [...names].map((name) => ({ name, medium: 'disk' }));
}

/** Finds mounts that would lie in the workspace or hide it: its files are shared between the steps anyway. */
export function refuseMountsInWorkspace(
  report: Pick<DocumentReader, 'report'>['report'],
  steps: readonly (Pick<Position, 'line' | 'within'> & {
    readonly name: string;
    readonly volumes: readonly VolumeMountPlan[];
  })[],
  workspace: string,
): void {
  for (const step of steps)
    for (const { target } of step.volumes)
      if (isWithin(target, workspace) || isWithin(workspace, target))
        report.add(
          'volume.path',
          placeOf(step),
          `step "${step.name}" cannot have a volume at "${target}": the workspace is at "${workspace}"`,
        );
}

export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** Whether it is one that can be had; a fault is found at its place. */
function addMount(reader: DocumentReader, node: YamlNode, mounts: VolumeMountPlan[], mount: VolumeMountPlan): boolean {
  const fault = findMountFault(mount.target);
  const target = mount.target.replace(/\/+/g, '/').replace(/(?<=.)\/$/, '');
  if (fault !== undefined) reader.add('volume.path', node, `a volume cannot be at "${mount.target}": ${fault}`);
  else if (mounts.some((other) => isWithin(other.target, target) || isWithin(target, other.target)))
    reader.add('volume.path', node, `a volume cannot be at "${mount.target}": another one of this step is there`);
  else {
    mounts.push({ ...mount, target });
    return true;
  }
  return false;
}

/** Folders that a volume would hide, or that belong to the sandbox. */
const takenFolders: ReadonlySet<string> = new Set(
  '/bin /boot /dev /etc /lib /lib32 /lib64 /libx32 /proc /sbin /sys /.gantry /run/drone'.split(' '),
);
/** Folders that may hold one, and are none themselves. */
const keptFolders: ReadonlySet<string> = new Set(
  '/ /root /run /tmp /usr /usr/bin /usr/lib /usr/sbin /usr/local /var'.split(' '),
);

/** Why nothing may be mounted at a path, as the end of a sentence. */
export function findMountFault(path: string): string | undefined {
  if (!path.startsWith('/')) return 'it is no absolute path';
  const parts = path.split('/').filter(Boolean);
  if (parts.includes('.') || parts.includes('..')) return 'it has "." or ".." in it';
  if (path.length > 500 || parts.length > 32 || /[\p{Cc}]/u.test(path)) return 'it is no good path';
  const plain = `/${parts.join('/')}`;
  const taken = [...takenFolders].find((folder) => isWithin(plain, folder));
  if (taken !== undefined) return `${taken} belongs to the system of the image`;
  return keptFolders.has(plain) ? 'it would hide what the image has there' : undefined;
}

function isVolumeName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(name);
}
