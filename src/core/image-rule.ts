/** One rule of an ordered list: images whose written name matches `from` are pulled as `to`. */
export interface ImageRule {
  /** Read as image names are: `golang:*` is `docker.io/library/golang:*`. `*` stands for any text. */
  readonly from: string;
  /** `*` stands for what the stars of `from` found, in order. Without a tag the written one stays. */
  readonly to: string;
}

export interface RewrittenImage {
  /** What is pulled. */
  readonly reference: string;
  /** Place of the rule that said so, from 1. */
  readonly rule: number;
}

interface NameParts {
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const maxPatternLength = 512;
const maxStars = 8;

/**
 * Reads `golang:* -> base/golang`; `→` may stand for the arrow. Throws a plain Error that says what is wrong.
 */
export function parseImageRule(text: string): ImageRule {
  const parts = text.split(/\s*(?:->|→)\s*/);
  const [from, to] = parts.map((part) => part.trim());
  if (parts.length !== 2 || !from || !to) throw new Error(`write "golang:* -> base/golang", not "${text}"`);
  for (const part of [from, to]) {
    if (part.length > maxPatternLength) throw new Error(`"${part.slice(0, 40)}…" is longer than ${maxPatternLength}`);
    if (/[\s@]/.test(part)) throw new Error(`"${part}" has a space or a digest in it; a written digest stays as it is`);
  }
  if (countStars(from) > maxStars) throw new Error(`"${from}" has more than ${maxStars} stars`);
  if (countStars(to) > countStars(from)) throw new Error(`"${to}" has more stars than "${from}"`);
  return { from, to };
}

/**
 * What a written image name means under the rules: the first that matches counts, and its answer is not rewritten
 * again. `undefined` when none does. A digest stays, so the content stays.
 */
export function rewriteImage(written: string, rules: readonly ImageRule[]): RewrittenImage | undefined {
  const image = partsOf(written);
  for (const [index, rule] of rules.entries()) {
    const reference = apply(rule, image);
    if (reference !== undefined) return { reference, rule: index + 1 };
  }
  return undefined;
}

/** The whole name that a written one means, without tag and digest: `golang:1` → `docker.io/library/golang`. */
export function fullImageName(written: string): string {
  return fullName(partsOf(written).name);
}

/** The same reference with the whole name: `golang:1` → `docker.io/library/golang:1`. */
export function fullImageReference(written: string): string {
  const { name, tag, digest } = partsOf(written);
  return `${fullName(name)}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** The host of the registry that a written image name means; `undefined` for what Gantry composes. */
export function registryOf(written: string): string | undefined {
  const [host, ...rest] = fullName(partsOf(written).name).split('/');
  return rest.length === 0 || host === 'base' || host === 'devops' ? undefined : host?.toLowerCase();
}

function apply({ from, to }: ImageRule, image: NameParts): string | undefined {
  const pattern = partsOf(from);
  const inName = captures(fullName(pattern.name), fullName(image.name));
  // A name without a tag means `latest`, but is pulled as it is written.
  const inTag = pattern.tag === undefined ? [] : captures(pattern.tag, image.tag ?? 'latest');
  if (!inName || !inTag) return undefined;
  const found = [...inName, ...inTag];
  const target = to.replaceAll('*', () => found.shift() ?? '');
  const { name, tag } = partsOf(target);
  const kept = tag ?? image.tag;
  return `${name}${kept === undefined ? '' : `:${kept}`}${image.digest === undefined ? '' : `@${image.digest}`}`;
}

function partsOf(reference: string): NameParts {
  const [rest, digest] = reference.split('@', 2) as [string, string | undefined];
  const colon = rest.indexOf(':', rest.lastIndexOf('/') + 1);
  return colon < 0
    ? { name: rest, tag: undefined, digest }
    : { name: rest.slice(0, colon), tag: rest.slice(colon + 1), digest };
}

/**
 * `golang` → `docker.io/library/golang`, `team/app` → `docker.io/team/app`: one form for all ways to write a name.
 * The images that Gantry composes, below `base/` and `devops/`, are of no registry.
 */
function fullName(name: string): string {
  const [first, ...others] = name.split('/') as [string, ...string[]];
  if (others.length === 0) return `docker.io/library/${name}`;
  if (first === 'base' || first === 'devops') return name;
  if (first === 'index.docker.io' || first === 'docker.io')
    return others.length === 1 && others[0] !== '*'
      ? `docker.io/library/${others[0]}`
      : `docker.io/${others.join('/')}`;
  return /[.:]/.test(first) || first === 'localhost' ? name : `docker.io/${name}`;
}

/** What the stars of a pattern stand for in a text, each as little as possible; `undefined` when it does not match. */
function captures(pattern: string, text: string): string[] | undefined {
  const [head, ...pieces] = pattern.split('*') as [string, ...string[]];
  if (pieces.length === 0) return pattern === text ? [] : undefined;
  if (!text.startsWith(head)) return undefined;
  const found: string[] = [];
  let at = head.length;
  for (const piece of pieces.slice(0, -1)) {
    const next = text.indexOf(piece, at);
    if (next < 0) return undefined;
    found.push(text.slice(at, next));
    at = next + piece.length;
  }
  const tail = pieces.at(-1)!;
  if (text.length - at < tail.length || !text.endsWith(tail)) return undefined;
  found.push(text.slice(at, text.length - tail.length));
  return found;
}

function countStars(text: string): number {
  return text.split('*').length - 1;
}
