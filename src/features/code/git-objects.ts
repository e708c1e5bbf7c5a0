import type { GitCommit, GitEntry } from '../../core/repository.ts';

/** Reads the bytes of a commit object. Hostile ones (no dates, no names) come out with what they have. */
export function readCommitObject(id: string, bytes: Buffer): GitCommit {
  const split = bytes.indexOf('\n\n');
  const head = bytes.toString('latin1', 0, split < 0 ? bytes.length : split);
  const body = split < 0 ? Buffer.alloc(0) : bytes.subarray(split + 2);
  const headers = head.split('\n').filter((line) => !line.startsWith(' '));
  const valuesOf = (name: string): string[] =>
    headers.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
  const decode = decoderFor(valuesOf('encoding')[0]);
  const author = readSignature(decode(Buffer.from(valuesOf('author')[0] ?? '', 'latin1')));
  const committer = readSignature(decode(Buffer.from(valuesOf('committer')[0] ?? '', 'latin1')));
  return {
    id,
    parents: valuesOf('parent').filter((parent) => /^[0-9a-f]{40}$/.test(parent)),
    tree: valuesOf('tree')[0] ?? '',
    authorName: author.name,
    authorEmail: author.email,
    authoredAt: author.at,
    committerName: committer.name,
    committedAt: committer.at,
    message: decode(body),
  };
}

/** `Mei <mei@example.org> 1764110000 +0800`: the zone is for showing, the instant is what counts. */
function readSignature(text: string): { readonly name: string; readonly email: string; readonly at: Date } {
  const [, name = '', email = '', seconds = '0'] = /^(.*?)\s*<([^>]*)>(?:\s+(-?\d{1,15}))?/s.exec(text) ?? [];
  const at = new Date(Number(seconds) * 1_000);
  return { name, email, at: Number.isNaN(at.getTime()) || at.getFullYear() > 9_999 ? new Date(0) : at };
}

function decoderFor(encoding: string | undefined): (bytes: Buffer) => string {
  try {
    const decoder = new TextDecoder(encoding ?? 'utf-8');
    return (bytes) => decoder.decode(bytes);
  } catch {
    // An encoding that nobody knows: UTF-8 with marks where it is not is the best that can be shown.
    const decoder = new TextDecoder('utf-8');
    return (bytes) => decoder.decode(bytes);
  }
}

export interface TreeEntry extends GitEntry {
  /** The name as it is on disk: paths are compared as bytes. */
  readonly nameBytes: Buffer;
}

const kinds: Record<string, GitEntry['kind']> = { '40000': 'folder', '120000': 'link', '160000': 'submodule' };

/** Reads the bytes of a tree object, in git's own order. What does not fit the format ends the list. */
export function readTreeObject(bytes: Buffer): readonly TreeEntry[] {
  const entries: TreeEntry[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const space = bytes.indexOf(0x20, offset);
    const nul = bytes.indexOf(0, space + 1);
    if (space < 0 || nul < 0 || nul + 21 > bytes.length) break;
    const mode = bytes.toString('latin1', offset, space);
    const nameBytes = bytes.subarray(space + 1, nul);
    entries.push({
      name: nameBytes.toString('utf8'),
      nameBytes,
      kind: kinds[mode] ?? 'file',
      mode,
      object: bytes.toString('hex', nul + 1, nul + 21),
    });
    offset = nul + 21;
  }
  return entries;
}
