import { GantryError } from '../../../core/errors.ts';

export interface Reference {
  /** `registry.example:5000`. */
  readonly host: string;
  /** `team/app`. */
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

/**
 * Reads an image name as Docker does: a first part with a dot, a colon or `localhost` is a host, else the name is one of
 * `defaultHost`, where one-part names live below `library/`. Grammar: distribution-spec 1.1, "Pulling manifests".
 */
export function parseReference(text: string, defaultHost: string | undefined): Reference {
  const found =
    /^(?<name>[^@:]+(?::\d+(?=\/))?[^@:]*)(?::(?<tag>[\w][\w.-]{0,127}))?(?:@(?<digest>sha256:[a-f0-9]{64}))?$/.exec(
      text,
    );
  const name = found?.groups?.['name'];
  if (!name || text.length > 512) throw invalid(text, 'it is not a valid image name');
  const slash = name.indexOf('/');
  const first = name.slice(0, slash);
  const hasHost = slash > 0 && (/[.:]/.test(first) || first === 'localhost');
  const host = hasHost ? first : defaultHost;
  if (host === undefined) throw invalid(text, 'it names no registry, and no default registry is configured');
  const path = hasHost ? name.slice(slash + 1) : slash > 0 ? name : `library/${name}`;
  if (!/^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/.test(path))
    throw invalid(text, 'a repository is written in lower case, digits and separators');
  const { tag, digest } = found.groups ?? {};
  return { host, repository: path, tag: tag ?? (digest ? undefined : 'latest'), digest };
}

function invalid(text: string, because: string): GantryError {
  return new GantryError('IMAGE_NOT_FOUND', `Cannot read the image name "${text.slice(0, 200)}": ${because}`);
}
