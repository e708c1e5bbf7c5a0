import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GantryError } from '../core/errors.ts';
import type { GitEntry } from '../core/repository.ts';
import { isFileOf } from '../engine/choose-files.ts';
import { pipelineFilePaths } from '../engine/compile-input.ts';

import type { CommitFacts } from './exec-event.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What `gantry exec` runs: a commit in a repository of its own, made of a working tree or of one of its commits. */
export interface Snapshot extends CommitFacts {
  /** Bare repository that holds the commit and all that it is made of. */
  readonly repository: string;
  /** Whether the working tree has something that HEAD has not. */
  readonly hasUncommitted: boolean;
  /** The pipeline files of the commit, in the order in which they are looked for. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** A file of the commit; `undefined` when it has none of that name. */
  readonly readFile: (path: string) => Promise<string | undefined>;
  /** What the commit has in a folder of it (`` is the top); `undefined` when that is none. */
  readonly listFolder: (path: string) => Promise<readonly GitEntry[] | undefined>;
  /** The top folder of the working tree. */
  readonly folder: string;
  /** Lets the commit be collected. */
  release(): Promise<void>;
}

export interface SnapshotRequest {
  /** Any folder of the working tree. */
  readonly folder: string;
  /** Where repositories of snapshots are kept between runs. */
  readonly cacheFolder: string;
  /** A commit instead of the working tree. */
  readonly revision?: string | undefined;
  readonly environment: Environment;
  /** Pipeline file, or folder with a slash at its end, that the project names; absent = the usual places. */
  readonly pipelinePath?: string | undefined;
}

const maxChangedPaths = 10_000;
/** One more than a pipeline file may have: what is larger is refused by the compiler. */
const maxFileBytes = 262_145;
const forgottenAfterMs = 60 * 86_400_000;
const maxAnswerBytes = 64 * 2 ** 20;

/**
 * Takes a picture of a working tree, with what is not committed and not tracked, without what is ignored. Nothing of it
 * is changed: objects and index that git writes go to folders of ours. The same content is the same commit, so that a
 * checkout that was made of it is used again. Throws REF_NOT_FOUND and PATH_NOT_FOUND.
 */
export async function takeSnapshot(request: SnapshotRequest): Promise<Snapshot> {
  const git = gitIn(request.folder, request.environment);
  const folder = await git(['rev-parse', '--show-toplevel']).catch((error: unknown) => {
    throw new GantryError(
      'PATH_NOT_FOUND',
      `Cannot run a pipeline here: ${request.folder} is in no working tree of git (${firstLine(error)})`,
      { cause: error },
    );
  });
  const repository = await openRepository(folder, request);
  const scratch = mkdtempSync(join(tmpdir(), 'gantry-exec-'));
  try {
    const head = await find(git, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']);
    const { commit, objects } =
      request.revision === undefined
        ? await commitOfTree({ git, folder, scratch, head })
        : { commit: await resolveRevision(git, request.revision), objects: undefined };
    const ref = `refs/exec/${process.pid}-${randomUUID()}`;
    await bring({ git, repository, scratch, commit, objects, ref, environment: request.environment });

    const own = gitIn(repository, request.environment);
    const [branch, defaultBranch, details] = await Promise.all([
      find(git, ['symbolic-ref', '--quiet', '--short', 'HEAD']),
      find(git, ['symbolic-ref', '--quiet', '--short', 'refs/remotes/origin/HEAD']),
      own(['log', '-1', '--format=%an%n%ae%n%B', commit]),
    ]);
    const [authorName = '', authorEmail = '', ...message] = details.split('\n');
    const hasUncommitted = request.revision === undefined && commit !== head;
    const before = await findBase(git, { commit, head, hasUncommitted, defaultBranch });
    return {
      repository,
      commit,
      hasUncommitted,
      branch,
      defaultBranch: defaultBranch?.replace(/^origin\//, ''),
      message: message.join('\n').trim(),
      authorName,
      authorEmail,
      before,
      changedPaths: before === undefined ? undefined : await changedPaths(own, before, commit),
      files: await readFiles(own, commit, request.pipelinePath),
      readFile: (path) => find(own, ['cat-file', 'blob', `${commit}:${path}`]),
      listFolder: (path) => listFolder(own, commit, path),
      folder,
      release: async () => {
        // Whoever comes next fetches what differs from this one only; another run may be doing the same.
        await find(own, ['update-ref', 'refs/exec/last', commit]);
        await find(own, ['update-ref', '-d', ref]);
      },
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

type Git = (args: readonly string[], more?: Environment) => Promise<string>;

const run = promisify(execFile);

/** git in a folder, whatever repository a hook that calls us has set. Answers its output without the last line's end. */
function gitIn(folder: string, environment: Environment): Git {
  const passed = Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('GIT_')));
  return async (args, more = {}) => {
    const { stdout } = await run('git', ['-C', folder, '-c', 'core.fsmonitor=false', ...args], {
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...passed, ...more, LC_ALL: 'C.UTF-8', GIT_TERMINAL_PROMPT: '0' },
      maxBuffer: maxAnswerBytes,
    });
    return stdout.replace(/\n$/, '');
  };
}

/** `undefined` where git says no. */
async function find(git: Git, args: readonly string[]): Promise<string | undefined> {
  try {
    return (await git(args)) || undefined;
  } catch {
    // git's way of saying that there is none.
    return undefined;
  }
}

async function resolveRevision(git: Git, revision: string): Promise<string> {
  const commit = await find(git, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`]);
  if (commit === undefined)
    throw new GantryError('REF_NOT_FOUND', `Cannot run "${revision}": there is no such commit in this repository`);
  return commit;
}

/** One for each working tree, kept: the next run brings only what is new. */
async function openRepository(folder: string, { cacheFolder, environment }: SnapshotRequest): Promise<string> {
  const name = createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 16);
  const repositories = join(cacheFolder, 'repositories');
  const repository = join(repositories, `${name}.git`);
  if (!existsSync(join(repository, 'HEAD'))) {
    removeForgotten(repositories);
    mkdirSync(repository, { recursive: true, mode: 0o700 });
    const format = await find(gitIn(folder, environment), ['rev-parse', '--show-object-format']);
    await gitIn(
      repository,
      environment,
    )(['init', '--quiet', '--bare', '--template=', `--object-format=${format ?? 'sha1'}`, repository]);
  }
  return repository;
}

/** Working trees come and go: what nobody has run for long is brought anew when somebody does. */
function removeForgotten(repositories: string): void {
  if (!existsSync(repositories)) return;
  for (const name of readdirSync(repositories)) {
    const used = statSync(join(repositories, name, 'refs', 'exec'), { throwIfNoEntry: false });
    if (used && Date.now() - used.mtimeMs > forgottenAfterMs)
      rmSync(join(repositories, name), { recursive: true, force: true });
  }
}

/** The working tree as a commit on top of HEAD, or HEAD itself where they are the same. */
async function commitOfTree({
  git,
  folder,
  scratch,
  head,
}: {
  readonly git: Git;
  readonly folder: string;
  readonly scratch: string;
  readonly head: string | undefined;
}): Promise<{ readonly commit: string; readonly objects: string | undefined }> {
  const [gitFolder, commonObjects, isShallow] = await Promise.all([
    git(['rev-parse', '--absolute-git-dir']),
    git(['rev-parse', '--path-format=absolute', '--git-path', 'objects']),
    git(['rev-parse', '--is-shallow-repository']),
  ]);
  const objects = join(scratch, 'objects');
  mkdirSync(objects);
  const index = join(scratch, 'index');
  // What git knows of unchanged files saves reading them.
  if (existsSync(join(gitFolder, 'index'))) copyFileSync(join(gitFolder, 'index'), index);
  const aside = {
    GIT_DIR: gitFolder,
    GIT_WORK_TREE: folder,
    GIT_INDEX_FILE: index,
    GIT_OBJECT_DIRECTORY: objects,
    GIT_ALTERNATE_OBJECT_DIRECTORIES: commonObjects,
  };
  await git(['-C', folder, 'add', '--all', '--', '.'], aside);
  const tree = await git(['write-tree'], aside);
  const headTree = head === undefined ? undefined : await git(['rev-parse', `${head}^{tree}`]);
  if (head !== undefined && tree === headTree && isShallow !== 'true') return { commit: head, objects: undefined };

  // Of the same date as what it stands on: the same content is the same commit.
  const date = head === undefined ? '@0 +0000' : await git(['log', '-1', '--format=@%ct +0000', head]);
  const [name, email] = await Promise.all([find(git, ['config', 'user.name']), find(git, ['config', 'user.email'])]);
  const parents = head === undefined || isShallow === 'true' ? [] : ['-p', head];
  const isHead = head !== undefined && tree === headTree;
  const message = isHead ? await git(['log', '-1', '--format=%B', head]) : 'Uncommitted changes';
  const identity = (role: 'AUTHOR' | 'COMMITTER'): Environment => ({
    [`GIT_${role}_NAME`]: name ?? 'nobody',
    [`GIT_${role}_EMAIL`]: email ?? 'nobody@localhost',
    [`GIT_${role}_DATE`]: date,
  });
  const commit = await git(['commit-tree', tree, ...parents, '-m', message], {
    ...aside,
    ...identity('AUTHOR'),
    ...identity('COMMITTER'),
  });
  return { commit, objects };
}

/** Copies the commit, and what it is made of, into the repository of snapshots. */
async function bring({
  git,
  repository,
  scratch,
  commit,
  objects,
  ref,
  environment,
}: {
  readonly git: Git;
  readonly repository: string;
  readonly scratch: string;
  readonly commit: string;
  readonly objects: string | undefined;
  readonly ref: string;
  readonly environment: Environment;
}): Promise<void> {
  // A repository that has one reference: the commit, with the objects of the working tree's repository behind it.
  const source = join(scratch, 'source.git');
  const format = commit.length === 64 ? 'sha256' : 'sha1';
  await git(['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, source]);
  const common = await git(['rev-parse', '--path-format=absolute', '--git-path', 'objects']);
  const alternates = [...(objects === undefined ? [] : [objects]), common];
  mkdirSync(join(source, 'objects', 'info'), { recursive: true });
  writeFileSync(join(source, 'objects', 'info', 'alternates'), `${alternates.join('\n')}\n`);
  mkdirSync(join(source, 'refs', 'heads'), { recursive: true });
  writeFileSync(join(source, 'refs', 'heads', 'snapshot'), `${commit}\n`);
  const shallow = await git(['rev-parse', '--path-format=absolute', '--git-path', 'shallow']);
  if (existsSync(shallow)) copyFileSync(shallow, join(source, 'shallow'));
  await gitIn(
    repository,
    environment,
  )([
    'fetch',
    '--quiet',
    '--no-tags',
    '--no-write-fetch-head',
    '--update-shallow',
    source,
    `+refs/heads/snapshot:${ref}`,
  ]);
}

/** What a push of this commit would be compared with: what is upstream already, or else the last commit. */
async function findBase(
  git: Git,
  {
    commit,
    head,
    hasUncommitted,
    defaultBranch,
  }: {
    readonly commit: string;
    readonly head: string | undefined;
    readonly hasUncommitted: boolean;
    readonly defaultBranch: string | undefined;
  },
): Promise<string | undefined> {
  const tip = hasUncommitted ? head : commit;
  if (tip === undefined) return undefined;
  for (const upstream of ['@{upstream}', ...(defaultBranch === undefined ? [] : [defaultBranch])]) {
    const base = await find(git, ['merge-base', upstream, tip]);
    if (base !== undefined && base !== commit) return base;
  }
  return hasUncommitted ? head : find(git, ['rev-parse', '--verify', '--quiet', `${tip}^1`]);
}

async function changedPaths(own: Git, before: string, commit: string): Promise<readonly string[] | undefined> {
  const listed = await find(own, ['diff-tree', '-r', '-z', '--name-only', '--no-renames', before, commit]);
  const paths = (listed ?? '').split('\0').filter((path) => path !== '');
  return paths.length > maxChangedPaths ? undefined : paths;
}

async function readFiles(
  own: Git,
  commit: string,
  configuredPath: string | undefined,
): Promise<readonly { path: string; text: string }[]> {
  const places = configuredPath === undefined ? pipelineFilePaths : [configuredPath];
  const listed = await own(['ls-tree', '-z', '--full-tree', commit, '--', ...places]);
  const entries = listed.split('\0').flatMap((line) => {
    const found = /^\d+ blob ([0-9a-f]+)\t(.+)$/.exec(line);
    return found?.[1] && found[2] ? [{ object: found[1], path: found[2] }] : [];
  });
  const inOrder = places.flatMap((path) =>
    entries.filter((entry) => (path.endsWith('/') ? isFileOf(path, entry.path) : entry.path === path)),
  );
  return Promise.all(
    inOrder.map(async ({ object, path }) => ({
      path,
      // A larger one is refused by its size alone.
      text:
        Number(await own(['cat-file', '-s', object])) > maxFileBytes
          ? ' '.repeat(maxFileBytes)
          : `${await own(['cat-file', 'blob', object])}\n`,
    })),
  );
}

/** A folder without files is one that git does not have. */
async function listFolder(own: Git, commit: string, path: string): Promise<readonly GitEntry[] | undefined> {
  const listed = await find(own, ['ls-tree', '-z', '--full-tree', `${commit}:${path}`]);
  return listed?.split('\0').flatMap((line) => {
    const [, mode, object, name] = /^(\d+) \w+ ([0-9a-f]+)\t(.+)$/s.exec(line) ?? [];
    return mode && object && name ? [{ name, kind: kindOf(mode), mode, object }] : [];
  });
}

/** gitformat-index(5): the four kinds of entries that a tree has. */
function kindOf(mode: string): GitEntry['kind'] {
  if (mode.startsWith('04')) return 'folder';
  if (mode.startsWith('12')) return 'link';
  return mode.startsWith('16') ? 'submodule' : 'file';
}

function firstLine(error: unknown): string {
  const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
  return text.trim().split('\n')[0] ?? '';
}
