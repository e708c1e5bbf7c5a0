import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Headers, pack } from 'tar-stream';
import type { BuildRequest } from '../engine/build-request.ts';
import { type DockerIgnore, readDockerIgnore } from '../lib/docker-ignore.ts';
import { WorkspaceFault } from './read-workspace.ts';

/** Files of the workspace that say how the image is built. */
export interface BuildFiles {
  readonly dockerfile: string;
  readonly ignore: DockerIgnore;
  /** What the file `.tags` says. */
  readonly tags: string | undefined;
}

const maxFileBytes = 2 ** 20;
/** What a builder is sent at most. */
const maxContextBytes = 8 * 2 ** 30;

/** Nothing outside of the workspace is read, whatever links there are. */
const inside = `set -u
root=$(readlink -f .)
within() { found=$(readlink -f -- "$1") || return 1; case "$found/" in "$root"/*) ;; *) return 1;; esac; }
fail() { echo "$1" >&2; exit 3; }
within "$CONTEXT" && [ -d "$found" ] || fail "the context \\"$CONTEXT\\" is no folder of the workspace"
context=$found
`;

/** Writes each file after a line with its name and size. */
export const filesScript = `${inside}
emit() {
  size=$(wc -c < "$2" | tr -d ' ')
  [ "$size" -le ${maxFileBytes} ] || fail "\\"$3\\" has more than ${maxFileBytes / 2 ** 20} MiB"
  echo "$1 $size"
  head -c "$size" "$2"
}
dockerfile=
for path in "$DOCKERFILE" "\${IN_CONTEXT:+$context/$DOCKERFILE}"; do
  [ -z "$dockerfile" ] && [ -n "$path" ] && within "$path" && [ -f "$found" ] && dockerfile=$found
done
[ -n "$dockerfile" ] || fail "there is no file \\"$DOCKERFILE\\" in the workspace"
emit dockerfile "$dockerfile" "$DOCKERFILE"
for path in "$dockerfile.dockerignore" "$context/.dockerignore"; do
  within "$path" && [ -f "$found" ] && { emit ignore "$found" .dockerignore; break; }
done
within .tags && [ -f "$found" ] && emit tags "$found" .tags
exit 0
`;

/** Names in EXCLUDED lie right below the context and are left out whole. */
export const contextScript = `${inside}
cd "$context" || fail "the context cannot be entered"
set --
for path in ./* ./.[!.]* ./..?*; do
  [ -e "$path" ] || [ -L "$path" ] || continue
  case "
$EXCLUDED
" in *"
\${path#./}
"*) continue ;; esac
  set -- "$@" "$path"
done
# A folder without anything makes no archive at all, and nothing is one too.
[ $# -eq 0 ] || tar -c -f - "$@"
`;

export function scriptEnvironment(request: Pick<BuildRequest, 'context' | 'dockerfile' | 'looksInContext'>) {
  return {
    CONTEXT: request.context,
    DOCKERFILE: request.dockerfile,
    IN_CONTEXT: request.looksInContext ? '1' : '',
  };
}

/** What `filesScript` has written. Throws WorkspaceFault as it does. */
export async function readBuildFiles(written: Readable): Promise<BuildFiles> {
  const pieces: Buffer[] = [];
  for await (const piece of written) pieces.push(piece as Buffer);
  const bytes = Buffer.concat(pieces);
  const files = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(10, at);
    const found = /^(dockerfile|ignore|tags) (\d+)$/.exec(bytes.toString('utf8', at, end === -1 ? bytes.length : end));
    if (!found || end === -1) throw new Error('The workspace could not be read: its answer is damaged');
    at = end + 1 + Number(found[2]);
    files.set(found[1]!, bytes.toString('utf8', end + 1, at));
  }
  return {
    dockerfile: files.get('dockerfile') ?? '',
    ignore: readDockerIgnore(files.get('ignore') ?? ''),
    tags: files.get('tags'),
  };
}

/** The context without what is left out, all of it root's, as builders get it from their own clients. */
export function filteredContext(written: Readable, ignore: DockerIgnore): Readable {
  const target = pack();
  const source = extract();
  let total = 0;
  source.on('entry', (header: Headers, content, next) => {
    const name = header.name.replace(/^(?:\.\/)+/, '').replace(/\/+$/, '');
    total += header.size ?? 0;
    if (total > maxContextBytes) {
      source.destroy(
        new WorkspaceFault(`the context has more than ${maxContextBytes / 2 ** 30} GiB: write a .dockerignore`),
      );
      return;
    }
    const isKept = name !== '' && name !== '.' && !ignore.excludes(name);
    if (!isKept) {
      content.on('end', next);
      content.resume();
      return;
    }
    const { mode, mtime, size, type } = header;
    const kept: Headers = { name, ...definedOf({ mode, mtime, size, type }), uid: 0, gid: 0, ...linkOf(header) };
    const entry = target.entry(kept, (error) => next(error ?? undefined));
    content.pipe(entry);
  });
  void pipeline(written, source).then(
    () => target.finalize(),
    (error: unknown) => target.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  target.once('close', () => written.destroy());
  return target;
}

/** A hard link names another entry, which lost the same beginning. */
function linkOf({ linkname, type }: Headers): { linkname?: string } {
  if (typeof linkname !== 'string') return {};
  return { linkname: type === 'link' ? linkname.replace(/^(?:\.\/)+/, '') : linkname };
}

function definedOf<Fields extends object>(fields: Fields): { [Key in keyof Fields]?: NonNullable<Fields[Key]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)) as {
    [Key in keyof Fields]?: NonNullable<Fields[Key]>;
  };
}
