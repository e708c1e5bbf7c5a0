import type { CheckoutPlan } from '../core/checkout.ts';
import { asksForNothing } from './asks-for-nothing.ts';
import type { DocumentReader } from './document-reader.ts';
import type { HostRequest } from './host-request.ts';
import type { YamlEntry, YamlNode } from './yaml/yaml-node.ts';

/** How a checkout is made, as a file says it. */
export interface CheckoutDraft extends Omit<CheckoutPlan, 'hasTags'> {
  readonly line: number;
  /** What the file says of tags; `undefined` = nothing, and the dialect decides. */
  readonly wantsTags?: boolean | undefined;
  /** What it asks of the host that fetches. */
  readonly requests?: readonly HostRequest[] | undefined;
}

/** Settings of a checkout: those of the plugins that make one elsewhere, and of `clone` in `.gantry.yml` (pipelines.md 8a). */
const checkoutSettings = [
  'depth',
  'tags',
  'fetch_tags',
  'recursive',
  'submodule_override',
  'lfs',
  'partial',
  'branch',
  'ref',
  'path',
  'remote',
  'skip_verify',
] as const;

type Setting = (typeof checkoutSettings)[number];
type Mutable<Draft> = { -readonly [Key in keyof Draft]: Draft[Key] };

export function isCheckoutSetting(name: string): name is Setting {
  return (checkoutSettings as readonly string[]).includes(name);
}

/** Reads settings into a draft, and says of what has no effect, or cannot have one, why. */
export function readCheckout(
  reader: DocumentReader,
  settings: ReadonlyMap<string, Pick<YamlEntry, 'key' | 'value'>>,
  beginning: Pick<CheckoutDraft, 'isDisabled' | 'line'>,
  workspace: string,
): CheckoutDraft {
  const draft: Mutable<CheckoutDraft> = { ...beginning, depth: 0 };
  const places = new Map<string, YamlNode>();
  for (const [name, { key, value }] of settings) {
    if (!isCheckoutSetting(name)) continue;
    places.set(name, key);
    if (name === 'tags' || name === 'fetch_tags')
      draft.wantsTags = flag(reader, name, value) || draft.wantsTags === true;
    else if (!asksForNothing(value)) readSetting(reader, draft, name, key, value, workspace);
  }
  noteEffects(reader, draft, places);
  return draft;
}

/** What of the draft a plan has, for an event. */
export function checkoutPlan(
  { line: _line, wantsTags, requests, ...draft }: CheckoutDraft,
  event: { readonly hasTagsByDefault: boolean },
): CheckoutPlan {
  return {
    ...draft,
    ...((wantsTags ?? event.hasTagsByDefault) ? { hasTags: true } : {}),
    ...((requests?.length ?? 0) > 0 ? { skipsVerify: true } : {}),
  };
}

function readSetting(
  reader: DocumentReader,
  draft: Mutable<CheckoutDraft>,
  name: Exclude<Setting, 'tags' | 'fetch_tags'>,
  key: YamlNode,
  value: YamlNode,
  workspace: string,
): void {
  const text = (): string | undefined => reader.text(value, `"${name}" of the checkout`)?.trim() || undefined;
  switch (name) {
    case 'depth': {
      const depth = reader.integer(value, '"depth" of the checkout') ?? 0;
      if (depth < 0) reader.add('value.type', value, '"depth" of the checkout may not be negative');
      draft.depth = Math.max(0, depth);
      return;
    }
    case 'recursive':
      if (flag(reader, name, value)) draft.isRecursive = true;
      return;
    case 'submodule_override':
      draft.overrides = readOverrides(reader, value);
      return;
    case 'lfs':
      if (flag(reader, name, value)) draft.lfsLine = reader.positionOf(key).line;
      return;
    case 'partial':
      reader.add(
        'key.no-effect',
        key,
        '"partial" of the checkout has no effect: all objects are there, and cost no more for it',
      );
      return;
    case 'skip_verify':
      if (flag(reader, name, value))
        draft.requests = [
          {
            need: 'security',
            what: 'a checkout that does not check certificates ("skip_verify")',
            at: reader.positionOf(key),
          },
        ];
      return;
    case 'path':
      readPath(reader, draft, value, text(), workspace);
      return;
    case 'branch':
      assign(draft, 'branch', text());
      return;
    case 'ref':
      assign(draft, 'ref', text());
      return;
    case 'remote':
      readRemote(reader, draft, value, text());
  }
}

function assign(
  draft: Mutable<CheckoutDraft>,
  key: 'branch' | 'ref' | 'path' | 'remote',
  text: string | undefined,
): void {
  if (text !== undefined) draft[key] = text;
}

function flag(reader: DocumentReader, name: string, value: YamlNode): boolean {
  return reader.boolean(value, `"${name}" of the checkout`) ?? false;
}

function readOverrides(reader: DocumentReader, value: YamlNode): Record<string, string> {
  const overrides: [string, string][] = [];
  for (const [name, entry] of reader.fields(value, '"submodule_override" of the checkout') ?? []) {
    const url = reader.text(entry.value, `the URL of the submodule "${name}"`);
    if (url !== undefined && url !== '') overrides.push([name, url]);
  }
  return Object.fromEntries(overrides);
}

function readPath(
  reader: DocumentReader,
  draft: Mutable<CheckoutDraft>,
  node: YamlNode,
  written: string | undefined,
  workspace: string,
): void {
  if (written === undefined) return;
  const isBelow = written === workspace || written.startsWith(`${workspace}/`);
  const relative = (isBelow ? written.slice(workspace.length) : written).replace(/^(?:\.?\/)+/, isBelow ? '' : '$&');
  const parts = relative
    .replace(/^\.\//, '')
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  const isOut = (!isBelow && written.startsWith('/')) || parts.includes('..');
  if (
    isOut ||
    parts.some((part) => part.startsWith('-') || /^\.git$/i.test(part) || /[\u0000-\u001f\u007f\\]/.test(part))
  )
    reader.add(
      'clone.refused',
      node,
      `"path" of the checkout is no folder of the workspace "${workspace}": ${written}`,
    );
  else assign(draft, 'path', parts.join('/') || undefined);
}

function readRemote(
  reader: DocumentReader,
  draft: Mutable<CheckoutDraft>,
  node: YamlNode,
  written: string | undefined,
): void {
  if (written === undefined) return;
  if (/^https?:\/\/[^/\s]+\/\S+$/i.test(written) || /^\.\.?\/\S+$/.test(written)) assign(draft, 'remote', written);
  else
    reader.add(
      'clone.refused',
      node,
      '"remote" of the checkout is not fetched over http:// or https://, and nothing else is',
    );
}

/** Settings that would do something if others were there. */
function noteEffects(reader: DocumentReader, draft: CheckoutDraft, places: ReadonlyMap<string, YamlNode>): void {
  const overrides = places.get('submodule_override');
  if (draft.overrides && overrides && !draft.isRecursive)
    reader.add(
      'clone.submodules',
      overrides,
      '"submodule_override" of the checkout has no effect without "recursive": submodules are not fetched',
    );
  const verify = places.get('skip_verify');
  if (draft.requests && verify && !draft.isRecursive && draft.remote === undefined) {
    reader.add('key.no-effect', verify, '"skip_verify" of the checkout has no effect: it fetches from no other host');
    (draft as Mutable<CheckoutDraft>).requests = undefined;
  }
}
