import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome } from '../../../core/pipeline.ts';
import type { RepositorySpec } from '../runtime.ts';
import type { HolderPool } from './holder-pool.ts';
import type { HostSystem } from './host-system.ts';
import type { LaunchHost } from './launch-host.ts';
import { overlayMount } from './overlay.ts';
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
}

/**
 * git in a sandbox of its own: the host's programs and the repository's objects read-only, no network, no hooks, no
 * configuration but ours. A hostile tree finds nothing to write to but the folder it is meant for.
 */
const script = `set -eu
git() { command git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.logAllRefUpdates=false -c gc.auto=0 -c maintenance.auto=false -c core.attributesFile=/dev/null -c core.excludesFile=/dev/null -c checkout.workers=2 -c advice.detachedHead=false "$@"; }
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

export function createCheckoutMaker(options: {
  readonly host: LaunchHost;
  readonly pool: HolderPool;
  readonly system: HostSystem;
  /** The skeleton with the host's programs and `workFolder`. */
  readonly skeleton: () => Promise<string>;
}): CheckoutMaker {
  let sequence = 0;
  return {
    async make({ repository, folder, near, signal }) {
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
                overlay: overlayMount(
                  { lowers: near, upper: tree, work },
                  { isRootless: host.isRootless, isKept: true },
                ),
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
            { source: join(repository.folder, 'objects'), target: objectsMountPoint, isWritable: false },
          ],
          workspace: workFolder,
          environment: {},
          diskFolders: [],
        });
        const running = staged.release({
          script,
          environment: {
            COMMIT: repository.commit,
            FORMAT: repository.commit.length === 64 ? 'sha256' : 'sha1',
            OBJECTS: objectsMountPoint,
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
        const [author = '', subject = ''] = output.text.split('\n');
        return { commit: repository.commit, author: author.slice(0, 200), subject: subject.slice(0, 200) };
      } finally {
        signal.removeEventListener('abort', stop);
        await holder.close();
        host.cgroups?.removeJob(label);
      }
    },
  };
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
