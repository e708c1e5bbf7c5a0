import type { SecretReference } from '../../core/plan.ts';
import type { StepLimitsPlan } from '../../core/step-limits.ts';
import type { WorkflowDraft } from '../workflow-draft.ts';
import type { ImportValue } from './import-yaml.ts';

/** Names for the folders of the host that its steps mount. */
export function hostFoldersOf({ steps }: WorkflowDraft): ReadonlyMap<string, string> {
  const paths = new Set(steps.flatMap(({ host }) => (host?.volumes ?? []).map(({ source }) => source)));
  return new Map([...paths].map((path, index) => [path, `host-${index + 1}`]));
}

/** As `platform` has it: `linux/arm64/v8`, or a part of that from the left. */
export function platformOf(platform: string | undefined): ImportValue {
  const [os, arch, variant] = platform?.split('/') ?? [];
  return os === undefined ? undefined : { os, arch, variant };
}

/** Folder in which its steps begin. */
export function workspaceOf({ workspace: { base, path } }: WorkflowDraft): string {
  return path === '' ? base : `${base}/${path}`;
}

const sizeUnits = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
] as const;

/** A size as people write it: `1GiB`, `1536MiB`; bytes where no unit has it whole. */
export function writtenSize(bytes: number): string {
  const [unit, unitBytes] = sizeUnits.find(([, each]) => bytes % each === 0) ?? ['', 1];
  return `${bytes / unitBytes}${unit}`;
}

/** Limits of a step as `resources`; `undefined` when it has none of those. */
export function resourcesOf({ memoryBytes, cpuMillis }: StepLimitsPlan): ImportValue {
  if (memoryBytes === undefined && cpuMillis === undefined) return undefined;
  const limits = {
    ...(cpuMillis === undefined ? {} : { cpu: `${cpuMillis}m` }),
    ...(memoryBytes === undefined ? {} : { memory: writtenSize(memoryBytes) }),
  };
  return { limits };
}

/** A secret, or a setting with secrets in it as it was before it became JSON. */
export function secretOf({ secret, parts }: SecretReference): ImportValue {
  if (!parts) return { from_secret: secret };
  const secrets: string[] = [];
  const text = parts
    .map((part) => (typeof part === 'string' ? part : `\\uE002${secrets.push(part.secret) - 1}\\uE002`))
    .join('');
  const revive = (value: unknown): ImportValue => {
    if (typeof value === 'string') {
      const found = /^\uE002(\d+)\uE002$/.exec(value);
      return found ? { from_secret: secrets[Number(found[1])]! } : value;
    }
    if (Array.isArray(value)) return value.map(revive);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, revive(each)]));
    return value as number | boolean;
  };
  return revive(JSON.parse(text));
}

/** What a checkout is told is typed in `.gantry.yml`; as the setting of a plugin it became a text. */
export function asWritten(text: string): ImportValue {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^\d{1,9}$/.test(text) ? Number(text) : text;
}

/** The checkout by the keys of `clone`; `undefined` for the usual one. */
export function writtenClone(clone: WorkflowDraft['clone']): ImportValue {
  if (clone.isDisabled) return { disable: true };
  const { branch, depth, isRecursive, lfsLine, overrides, path, ref, remote, requests = [], wantsTags } = clone;
  const written = {
    ...(depth > 0 ? { depth } : {}),
    ...(wantsTags ? { tags: true } : {}),
    ...(isRecursive ? { recursive: true } : {}),
    ...(overrides && isRecursive ? { submodule_override: overrides } : {}),
    ...(lfsLine === undefined ? {} : { lfs: true }),
    ...(branch === undefined ? {} : { branch }),
    ...(ref === undefined ? {} : { ref }),
    ...(path === undefined ? {} : { path }),
    ...(remote === undefined ? {} : { remote }),
    ...(requests.length === 0 ? {} : { skip_verify: true }),
  };
  return Object.keys(written).length === 0 ? undefined : written;
}
