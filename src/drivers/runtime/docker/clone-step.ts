import { spawn } from 'node:child_process';
import { PassThrough } from 'node:stream';
import type { Outcome } from '../../../core/pipeline.ts';
import type { ReleaseSpec, RepositorySpec, RunningStep, StagedStep } from '../runtime.ts';
import type { DockerStep } from './docker-step.ts';

/** git's words are for the step's log; a hostile repository can make it say a lot. */
const complaintLimitBytes = 16_384;

/** What git may see of our environment: where its programs are, and nothing else. */
const gitEnvironment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C.UTF-8',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_REPLACE_OBJECTS: '1',
};

/** What the container of a checkout runs: base/git, and nothing that the repository names. */
const script = `set -eu
git() { command git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.logAllRefUpdates=false -c gc.auto=0 -c maintenance.auto=false -c core.attributesFile=/dev/null -c core.excludesFile=/dev/null -c checkout.workers=2 -c advice.detachedHead=false "$@"; }
git init -q --template= --object-format="$FORMAT" .
git index-pack --stdin >/dev/null
git cat-file -e "$COMMIT^{commit}" || { echo "The repository has no commit $COMMIT" >&2; exit 128; }
if [ -n "$BRANCH" ] && git check-ref-format "refs/heads/$BRANCH"; then
  git symbolic-ref HEAD "refs/heads/$BRANCH"
  git update-ref "refs/heads/$BRANCH" "$COMMIT"
  git update-ref "refs/remotes/origin/$BRANCH" "$COMMIT"
  git config "branch.$BRANCH.remote" origin
  git config "branch.$BRANCH.merge" "refs/heads/$BRANCH"
else
  git update-ref --no-deref HEAD "$COMMIT"
fi
git config remote.origin.url "$REMOTE"
git config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'
git reset -q --hard
git log -1 --format='%s%nby %an' | cut -c 1-200
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
    const { commit, branch = '', ref, remoteUrl, folder } = this.#repository;
    const complaint = { text: '' };
    const pack = new PassThrough();
    const running = this.#step.release(
      {
        ...release,
        script,
        environment: {
          COMMIT: commit,
          BRANCH: branch,
          REMOTE: remoteUrl,
          FORMAT: commit.length === 64 ? 'sha256' : 'sha1',
          HOME: '/tmp',
          GIT_CONFIG_NOSYSTEM: '1',
          GIT_CONFIG_GLOBAL: '/dev/null',
          GIT_ATTR_NOSYSTEM: '1',
          GIT_TERMINAL_PROMPT: '0',
          GIT_ALLOW_PROTOCOL: 'none',
          LC_ALL: 'C.UTF-8',
        },
        secrets: {},
      },
      pack,
    );
    const where = branch === '' ? ref : `branch ${branch}`;
    const say = (stream: 'stdout' | 'stderr', text: string): void | Promise<void> =>
      release.onOutput(stream, Buffer.from(text));
    const packing = packCommit(folder, commit, pack, complaint);
    const outcome = (async (): Promise<Outcome> => {
      await say('stdout', `Checking out ${commit} (${where})\n`);
      const end = await running.outcome;
      packing.stop();
      if (complaint.text !== '' && end.kind !== 'cancelled')
        await say('stderr', `Cannot read ${commit} (${where}) from the repository\n${complaint.text}`);
      return end;
    })();
    return { outcome, cancel: (reason) => running.cancel(reason) };
  }

  discard(): Promise<void> {
    return this.#step.discard();
  }
}

/** Writes what the commit reaches as one pack, as a clone would get it. */
function packCommit(
  folder: string,
  commit: string,
  target: PassThrough,
  complaint: { text: string },
): { readonly stop: () => void } {
  const args = [
    '-c',
    'safe.directory=*',
    `--git-dir=${folder}`,
    'pack-objects',
    '--revs',
    '--stdout',
    '--delta-base-offset',
    '-q',
  ];
  const git = spawn('git', args, { cwd: '/', env: gitEnvironment, stdio: ['pipe', 'pipe', 'pipe'] });
  git.stdin.on('error', () => undefined);
  git.stdin.end(`${commit}\n`);
  git.stderr.on('data', (bytes: Buffer) => {
    if (complaint.text.length < complaintLimitBytes) complaint.text += bytes.toString('utf8');
  });
  git.once('error', (error) => {
    complaint.text += error.message;
    target.end();
  });
  git.stdout.pipe(target);
  return { stop: () => void git.kill('SIGKILL') };
}
