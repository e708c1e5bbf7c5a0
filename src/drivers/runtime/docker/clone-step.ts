import { PassThrough } from 'node:stream';
import type { GatheredCheckout, SubmoduleSource } from '../../../core/checkout.ts';
import type { Outcome } from '../../../core/pipeline.ts';
import { checkoutIntroduction, gatherOutcome, submoduleLine } from '../gathered-clone.ts';
import { gitFiles, gitFolderOf, relativePath, submodulesOf } from '../git-files.ts';
import { findHistoryEnds, readTags, spawnHostGit } from '../host-git.ts';
import type { ReleaseSpec, RepositorySpec, RunningStep, StagedStep } from '../runtime.ts';
import type { DockerStep } from './docker-step.ts';
import { archive } from './gate-volume.ts';

/** git's words are for the step's log; a hostile repository can make it say a lot. */
const complaintLimitBytes = 16_384;

/** Each piece costs the container a process. */
const pieceBytes = 2 ** 20;

/**
 * What the container of a checkout runs: base/git, and nothing that the repository names. From its input it reads, for
 * each repository, the files of its `.git` as a tar and its objects as a pack, both in pieces of a given length.
 */
const script = `set -eu
git() { command git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.logAllRefUpdates=false -c gc.auto=0 -c maintenance.auto=false -c core.attributesFile=/dev/null -c core.excludesFile=/dev/null -c checkout.workers=2 -c advice.detachedHead=false "$@"; }
pieces() {
  while read -r size && [ "$size" -gt 0 ]; do head -c "$size"; done
}
number=0
while [ "$number" -lt "$COUNT" ]; do
  eval "tree=\\$TREE_$number store=\\$STORE_$number commit=\\$COMMIT_$number format=\\$FORMAT_$number link=\\$LINK_$number"
  mkdir -p "$tree" "$store"
  git init -q --bare --template= --object-format="$format" "$store"
  pieces | tar -x --no-same-owner -C "$store" -f -
  pieces | git --git-dir="$store" index-pack --stdin > /dev/null
  git --git-dir="$store" cat-file -e "$commit^{commit}" || { echo "The repository has no commit $commit" >&2; exit 128; }
  if [ -n "$link" ]; then printf 'gitdir: %s\\n' "$link" > "$tree/.git"; fi
  git --git-dir="$store" --work-tree="$tree" reset -q --hard
  rm -f "$store/ORIG_HEAD"
  number=$((number + 1))
done
git --git-dir="$STORE_0" log -1 --format='%s%nby %an' | cut -c 1-200
`;

/**
 * The step `clone`: a container of base/git joins the job's workspace, and what the commit reaches is streamed into it as
 * one pack, so that the engine may be anywhere and never sees the repository's folder.
 */
export class CloneStep implements StagedStep {
  readonly #step: DockerStep;
  readonly #repository: RepositorySpec;

  constructor(step: DockerStep, repository: RepositorySpec) {
    this.#step = step;
    this.#repository = repository;
  }

  release(release: ReleaseSpec): RunningStep {
    const stopped = Promise.withResolvers<string>();
    let running: RunningStep | undefined;
    const cancel = (reason: string): void => {
      stopped.resolve(reason);
      running?.cancel(reason);
    };
    const run = async (): Promise<Outcome> => {
      const say = async (stream: 'stdout' | 'stderr', text: string): Promise<void> =>
        release.onOutput(stream, Buffer.from(text));
      let content: CheckoutContent;
      try {
        const preparing = this.#prepare(release, say);
        preparing.catch(() => undefined);
        const prepared = await Promise.race([preparing, stopped.promise]);
        if (typeof prepared === 'string') {
          await this.#step.discard();
          return { kind: 'cancelled', reason: prepared };
        }
        content = prepared;
      } catch (error) {
        await this.#step.discard();
        return gatherOutcome(error, say);
      }
      await say('stdout', checkoutIntroduction(content.gathered));
      const input = new PassThrough();
      const feed = new CheckoutFeed(content, input);
      running = this.#step.release({ ...release, script, environment: content.environment, secrets: {} }, input);
      feed.begin();
      const end = await running.outcome;
      feed.stop();
      if (feed.complaint !== '' && end.kind !== 'cancelled')
        await say('stderr', `Cannot read the repository of the checkout\n${feed.complaint}`);
      else if (end.kind === 'exited' && end.exitCode === 0)
        await say('stdout', content.gathered.submodules.map(submoduleLine).join(''));
      return end;
    };
    return { outcome: run(), cancel };
  }

  discard(): Promise<void> {
    return this.#step.discard();
  }

  async #prepare(
    release: ReleaseSpec,
    say: (stream: 'stdout', text: string) => Promise<void>,
  ): Promise<CheckoutContent> {
    const gathered = this.#repository.isGathered
      ? await gather(release, say)
      : { source: this.#repository, submodules: [] };
    return contentOf(this.#repository, gathered);
  }
}

/** One repository of a checkout, as the container gets it. */
interface Part {
  readonly folder: string;
  /** What git is told to pack. */
  readonly revisions: string;
  readonly isShallow: boolean;
  readonly files: Readonly<Record<string, Buffer>>;
}

interface CheckoutContent {
  readonly gathered: GatheredCheckout;
  readonly parts: readonly Part[];
  readonly environment: Readonly<Record<string, string>>;
}

async function gather(
  release: ReleaseSpec,
  say: (stream: 'stdout', text: string) => Promise<void>,
): Promise<GatheredCheckout> {
  if (!release.gather) throw new TypeError('Cannot check out: nobody says what lies in the checkout');
  return release.gather((line) => void say('stdout', `${line}\n`));
}

async function contentOf(repository: RepositorySpec, gathered: GatheredCheckout): Promise<CheckoutContent> {
  const { source, submodules } = gathered;
  const { depth = 0, hasTags = false, path: top = '' } = repository;
  const [tags, historyEnds] = await Promise.all([
    hasTags ? readTags(source.folder) : undefined,
    findHistoryEnds(source.folder, source.commit, depth),
  ]);
  const main: Part = {
    folder: source.folder,
    // pack-objects cuts the history at what it is told to be shallow.
    revisions: [...historyEnds.map((id) => `--shallow ${id}`), source.commit, ...(tags?.objects ?? []), ''].join('\n'),
    isShallow: historyEnds.length > 0,
    files: buffers(gitFiles({ ...source, tags: tags?.lines, historyEnds, submodules: submodulesOf('', submodules) })),
  };
  const environment: Record<string, string> = {
    COUNT: String(submodules.length + 1),
    HOME: '/tmp',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: 'none',
    LC_ALL: 'C.UTF-8',
  };
  const prefix = top === '' ? '' : `${top}/`;
  const place = (number: number, commit: string, tree: string, store: string, link: string): void => {
    environment[`TREE_${number}`] = tree;
    environment[`STORE_${number}`] = store;
    environment[`COMMIT_${number}`] = commit;
    environment[`FORMAT_${number}`] = commit.length === 64 ? 'sha256' : 'sha1';
    environment[`LINK_${number}`] = link;
  };
  place(0, source.commit, top === '' ? '.' : top, `${prefix}.git`, '');
  submodules.forEach((submodule, index) => {
    const store = `.git/${gitFolderOf(submodule, submodules)}`;
    const { commit, path } = submodule;
    place(index + 1, commit, `${prefix}${path}`, `${prefix}${store}`, relativePath(path, store));
  });
  return { gathered, environment, parts: [main, ...submodules.map((each) => partOf(each, submodules))] };
}

function partOf(submodule: SubmoduleSource, all: GatheredCheckout['submodules']): Part {
  const { commit, folder, path } = submodule;
  const workTree = relativePath(`.git/${gitFolderOf(submodule, all)}`, path);
  const files = buffers(gitFiles({ ...submodule, submodules: submodulesOf(path, all), workTree }));
  return { folder, revisions: `${commit}\n`, isShallow: false, files };
}

function buffers(files: ReadonlyMap<string, string>): Record<string, Buffer> {
  return Object.fromEntries([...files].map(([name, text]) => [name, Buffer.from(text)]));
}

/** Writes the parts of a checkout to its container, one after the other. */
class CheckoutFeed {
  complaint = '';
  readonly #content: CheckoutContent;
  readonly #target: PassThrough;
  #git: ReturnType<typeof spawnHostGit> | undefined;
  #isStopped = false;

  constructor(content: CheckoutContent, target: PassThrough) {
    this.#content = content;
    this.#target = target;
  }

  begin(): void {
    void this.#feed()
      .catch((error: unknown) => {
        if (!this.#isStopped) this.complaint += error instanceof Error ? error.message : String(error);
      })
      .finally(() => this.#target.end());
  }

  stop(): void {
    this.#isStopped = true;
    this.#git?.kill('SIGKILL');
    this.#target.destroy();
  }

  async #feed(): Promise<void> {
    for (const part of this.#content.parts) {
      if (this.#isStopped) return;
      await this.#write(await archive(part.files));
      await this.#write(Buffer.alloc(0));
      await this.#pack(part);
      await this.#write(Buffer.alloc(0));
    }
  }

  /** What the commit reaches as one pack, as a clone would get it. */
  async #pack({ folder, isShallow, revisions }: Part): Promise<void> {
    const args = [
      'pack-objects',
      '--revs',
      '--stdout',
      '--delta-base-offset',
      '-q',
      ...(isShallow ? ['--shallow'] : []),
    ];
    // Without a file of its own that says where histories end: what is told on its input is all there is.
    const git = spawnHostGit(folder, isShallow ? ['--shallow-file', '', ...args] : args);
    this.#git = git;
    git.stdin.on('error', () => undefined);
    git.stdin.end(revisions);
    git.stderr.on('data', (bytes: Buffer) => {
      if (this.complaint.length < complaintLimitBytes) this.complaint += bytes.toString('utf8');
    });
    git.once('error', (error) => {
      this.complaint += error.message;
    });
    let piece: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of git.stdout) {
      piece.push(chunk as Buffer);
      sizeBytes += (chunk as Buffer).length;
      if (sizeBytes < pieceBytes) continue;
      await this.#write(Buffer.concat(piece));
      [piece, sizeBytes] = [[], 0];
    }
    if (sizeBytes > 0) await this.#write(Buffer.concat(piece));
  }

  /** A piece with its length before it; an empty one ends a file or a pack. */
  async #write(bytes: Buffer): Promise<void> {
    const goOn = this.#target.write(Buffer.concat([Buffer.from(`${bytes.length}\n`), bytes]));
    if (goOn || this.#isStopped) return;
    await new Promise<void>((resolve) => {
      const next = (): void => {
        this.#target.off('drain', next).off('close', next);
        resolve();
      };
      this.#target.on('drain', next).on('close', next);
    });
  }
}
