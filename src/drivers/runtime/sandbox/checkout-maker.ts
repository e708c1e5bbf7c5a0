import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SubmoduleSource } from '../../../core/checkout.ts';
import type { Outcome } from '../../../core/pipeline.ts';
import { overlayMount } from '../caches/overlay.ts';
import { gitFiles, gitFolderOf, relativePath, submodulesOf } from '../git-files.ts';
import type { RepositorySpec } from '../runtime.ts';
import type { HolderPool } from './holder-pool.ts';
import type { HostSystem } from './host-system.ts';
import type { LaunchHost } from './launch-host.ts';
import type { Bind } from './launcher.ts';
import { launchSandbox } from './sandbox-launch.ts';
import { objectsMountPoint } from './skeleton.ts';

/** Where the tree lies while git writes it. */
const workFolder = '/work';
const makeTimeoutMs = 3_600_000;
/** git's words are for the step's log; a hostile tree can make it say a lot. */
const outputLimitBytes = 65_536;

/** git could not make the checkout: its outcome and its own words. */
export class CheckoutFailure extends Error {
  override readonly name = 'CheckoutFailure';
  readonly outcome: Outcome;

  constructor(outcome: Outcome, output: string) {
    super(output);
    this.outcome = outcome;
  }
}

export interface CheckoutSummary {
  readonly commit: string;
  readonly subject: string;
  readonly author: string;
}

export interface CheckoutMaker {
  /** Writes the work tree into `<folder>/tree`, over the layers of a near commit when there are some. */
  make(request: {
    readonly repository: RepositorySpec;
    readonly folder: string;
    readonly near: readonly string[];
    /** Ends the making: git is killed and the promise rejects. */
    readonly signal: AbortSignal;
  }): Promise<CheckoutSummary>;
  /** Writes the trees of submodules, each with a repository of its own, into `<folder>/tree`: what lies over the tree that they are in. */
  makeSubmodules(request: {
    readonly submodules: readonly SubmoduleSource[];
    /** Folder of the top repository in the tree; empty = the tree. */
    readonly top: string;
    readonly folder: string;
    readonly signal: AbortSignal;
  }): Promise<CheckoutSummary>;
}

/**
 * git in a sandbox of its own: the host's programs and the repository's objects read-only, no network, no hooks, no
 * configuration but ours. A hostile tree finds nothing to write to but the folder it is meant for.
 */
const prologue = `set -eu
git() { command git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.logAllRefUpdates=false -c gc.auto=0 -c maintenance.auto=false -c core.attributesFile=/dev/null -c core.excludesFile=/dev/null -c checkout.workers=2 -c advice.detachedHead=false "$@"; }
`;

const script = `${prologue}if [ -n "$TOP" ]; then mkdir -p "$TOP"; cd "$TOP"; fi
if [ ! -d .git ]; then
  git init -q --template= --object-format="$FORMAT" .
  mkdir -p .git/objects/info
  printf '%s\\n' "$OBJECTS" > .git/objects/info/alternates
  git config core.checkStat minimal
  git config core.trustctime false
fi
git cat-file -e "$COMMIT^{commit}" || { echo "The repository has no commit $COMMIT" >&2; exit 128; }
git update-ref --no-deref HEAD "$COMMIT"
git reset -q --hard
rm -f .git/ORIG_HEAD
git log -1 --format='%an%n%s' "$COMMIT"
`;

/** Where the objects of submodules and the files of their repositories are bound. */
const [sourcesMountPoint, filesMountPoint] = ['/gantry-sources', '/gantry-files'];

/** Each submodule gets its objects as a pack of its own: a step sees what its commit reaches, and nothing else of there. */
const submodulesScript = `${prologue}number=0
while [ "$number" -lt "$COUNT" ]; do
  eval "tree=\\$TREE_$number store=\\$STORE_$number commit=\\$COMMIT_$number format=\\$FORMAT_$number link=\\$LINK_$number"
  source="${sourcesMountPoint}/$number"
  mkdir -p "$tree" "$store"
  git init -q --bare --template= --object-format="$format" "$store"
  GIT_ALTERNATE_OBJECT_DIRECTORIES="$source" git --git-dir="$store" cat-file -e "$commit^{commit}" ||
    { echo "The repository of the submodule $tree has no commit $commit" >&2; exit 128; }
  printf '%s\\n' "$commit" |
    GIT_ALTERNATE_OBJECT_DIRECTORIES="$source" git --git-dir="$store" pack-objects --revs --stdout --delta-base-offset -q |
    git --git-dir="$store" index-pack --stdin > /dev/null
  cp -R "${filesMountPoint}/$number/." "$store/"
  printf 'gitdir: %s\\n' "$link" > "$tree/.git"
  git --git-dir="$store" --work-tree="$tree" reset -q --hard
  rm -f "$store/ORIG_HEAD"
  number=$((number + 1))
done
`;

export function createCheckoutMaker(options: {
  readonly host: LaunchHost;
  readonly pool: HolderPool;
  readonly system: HostSystem;
  /** The skeleton with the host's programs and `workFolder`. */
  readonly skeleton: () => Promise<string>;
}): CheckoutMaker {
  let sequence = 0;

  /** Runs a script of ours in a sandbox of its own, and answers what it wrote. */
  async function run(making: {
    readonly script: string;
    readonly environment: Readonly<Record<string, string>>;
    readonly folder: string;
    readonly near: readonly string[];
    readonly binds: readonly Bind[];
    /** Mounts at places that nothing else has. */
    readonly sources: readonly Bind[];
    readonly signal: AbortSignal;
  }): Promise<string> {
    const { folder, near, signal } = making;
    const { host } = options;
    const [tree, work] = [join(folder, 'tree'), join(folder, 'work')];
    for (const path of [tree, work]) mkdirSync(path, { recursive: true, mode: 0o755 });
    sequence += 1;
    const label = `checkout-${sequence}`;
    const holder = await options.pool.take();
    const stop = (): void => void holder.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      signal.throwIfAborted();
      await holder.setWorkspace(
        near.length === 0
          ? { folder: tree }
          : {
              overlay: overlayMount({ lowers: near, upper: tree, work }, { isRootless: host.isRootless, isKept: true }),
            },
      );
      const output = new BoundedText(outputLimitBytes);
      const errors = new BoundedText(outputLimitBytes);
      const staged = await launchSandbox(host, {
        holder,
        cgroupName: `${label}/git`,
        folder: join(folder, 'sandbox'),
        step: { name: 'clone', kind: 'commands', limits: {}, network: 'none' },
        layers: [],
        skeleton: await options.skeleton(),
        image: { environment: [], entrypoint: [], command: [], user: '0:0', workingDirectory: '' },
        binds: [
          ...options.system.binds,
          { source: join(holder.mountPoint, 'workspace'), target: workFolder, isWritable: true },
          ...making.binds,
        ],
        volumes: making.sources,
        workspace: workFolder,
        environment: {},
        diskFolders: [],
      });
      const running = staged.release({
        script: making.script,
        environment: {
          ...making.environment,
          GIT_CONFIG_NOSYSTEM: '1',
          GIT_CONFIG_GLOBAL: '/dev/null',
          GIT_ATTR_NOSYSTEM: '1',
          GIT_TERMINAL_PROMPT: '0',
          GIT_ALLOW_PROTOCOL: 'none',
          LC_ALL: 'C.UTF-8',
        },
        secrets: {},
        timeoutMs: makeTimeoutMs,
        graceMs: 1_000,
        onOutput: (stream, bytes) => (stream === 'stdout' ? output : errors).add(bytes),
      });
      const outcome = await running.outcome;
      await staged.destroy();
      if (outcome.kind !== 'exited' || outcome.exitCode !== 0) throw new CheckoutFailure(outcome, errors.text);
      return output.text;
    } finally {
      signal.removeEventListener('abort', stop);
      await holder.close();
      host.cgroups?.removeJob(label);
    }
  }

  return {
    async make({ repository, folder, near, signal }) {
      const { commit, path = '' } = repository;
      const environment = { COMMIT: commit, FORMAT: formatOf(commit), OBJECTS: objectsMountPoint, TOP: path };
      const binds = [{ source: join(repository.folder, 'objects'), target: objectsMountPoint, isWritable: false }];
      const output = await run({ script, environment, folder, near, binds, sources: [], signal });
      const [author = '', subject = ''] = output.split('\n');
      return { commit, subject, author };
    },
    async makeSubmodules({ submodules, top, folder, signal }) {
      const prefix = top === '' ? '' : `${top}/`;
      const environment: Record<string, string> = { COUNT: String(submodules.length) };
      const files = join(folder, 'files');
      for (const [number, submodule] of submodules.entries()) {
        const { commit, path } = submodule;
        const store = `.git/${gitFolderOf(submodule, submodules)}`;
        environment[`TREE_${number}`] = `${prefix}${path}`;
        environment[`STORE_${number}`] = `${prefix}${store}`;
        environment[`COMMIT_${number}`] = commit;
        environment[`FORMAT_${number}`] = formatOf(commit);
        environment[`LINK_${number}`] = relativePath(path, store);
        const written = gitFiles({
          ...submodule,
          submodules: submodulesOf(path, submodules),
          workTree: relativePath(store, path),
        });
        for (const [name, text] of written) {
          const target = join(files, String(number), name);
          mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
          writeFileSync(target, text, { mode: 0o644 });
        }
      }
      const sources = submodules.map(({ folder: source }, number) => ({
        source: join(source, 'objects'),
        target: `${sourcesMountPoint}/${number}`,
        isWritable: false,
      }));
      const given = { source: files, target: filesMountPoint, isWritable: false };
      await run({
        script: submodulesScript,
        environment,
        folder,
        near: [],
        binds: [],
        sources: [...sources, given],
        signal,
      });
      return { commit: '', subject: '', author: '' };
    },
  };
}

function formatOf(commit: string): string {
  return commit.length === 64 ? 'sha256' : 'sha1';
}

class BoundedText {
  text = '';
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(bytes: Buffer): void {
    if (this.text.length < this.#limit) this.text += bytes.toString('utf8');
  }
}
