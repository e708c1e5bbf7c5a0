import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { GantryError } from '../../core/errors.ts';
import type { Person } from '../../core/person.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { GitCommit, Repository } from '../../core/repository.ts';
import type { Clock } from '../../lib/clock.ts';
import { flushPkt, pktLine, readPktLines } from '../../lib/pkt-line.ts';
import { git } from './git.ts';
import { printable, zeroObject } from './push-commands.ts';
import type { Pusher, PushReceiver } from './receive-push.ts';
import { refNameProblem } from './ref-name.ts';
import { readReport } from './report-status.ts';
import type { RepositoryFolders } from './repository-folders.ts';
import type { RepositoryGates } from './repository-gates.ts';

export interface CommitFilesDeps {
  readonly clock: Clock;
  readonly folders: RepositoryFolders;
  readonly gates: RepositoryGates;
  readonly pushes: PushReceiver;
  readonly repository: Repository;
}

export interface WantedCommit {
  readonly branch: string;
  /** Whether the branch is to be made; it begins at `base`. */
  readonly isNewBranch: boolean;
  /** The commit that the files were read at: what the branch must still read. null: nothing was pushed yet. */
  readonly base: string | null;
  readonly message: string;
  /** A file whose text is null is removed. */
  readonly files: readonly { readonly path: string; readonly text: string | null }[];
}

/** A file as it shall be. */
interface PlannedFile {
  readonly path: string;
  readonly mode: string;
  /** null: it is removed. */
  readonly text: string | null;
}

/**
 * Writes files as one commit of this person on a branch. The commit is made in a folder of its own and then pushed, so
 * that it passes what every push passes and starts what every push starts. Nothing is changed when it is refused:
 * COMMIT_CONFLICT when the branch has moved on since `base`, BRANCH_EXISTS, REF_NOT_FOUND, COMMIT_INVALID for a path or
 * branch that cannot be, NOTHING_TO_COMMIT when the files read so already, PUSH_REFUSED in the words of the push.
 */
export async function commitFiles(
  deps: CommitFilesDeps,
  project: Project,
  wanted: WantedCommit,
  author: Person,
  pusher: Pusher,
): Promise<GitCommit> {
  const ref = `refs/heads/${wanted.branch}`;
  const problem = refNameProblem(ref);
  if (problem !== undefined) throw invalid(`"${printable(wanted.branch)}" cannot be a branch: ${problem}`);
  const base = await requireBase(deps, project, wanted, ref);
  const leave = await deps.gates.share(project.id, 'fetch');
  let built: { readonly id: string; readonly pack: Buffer };
  try {
    const entries = await planEntries(deps.repository, project.id, base, wanted.files);
    built = await buildCommit(deps, project, base, entries, wanted, author);
  } finally {
    leave();
  }
  await push(deps, project, { ref, before: wanted.isNewBranch ? zeroObject : (base?.id ?? zeroObject) }, built, pusher);
  const commit = await deps.repository.commit(project.id, built.id);
  if (!commit) throw new GantryError('GIT_FAILED', 'Cannot show the commit: it was pushed and is not there');
  return commit;
}

/** The commit to build on, once the branch is where it was said to be. */
async function requireBase(
  { folders, repository }: CommitFilesDeps,
  project: Project,
  { branch, isNewBranch, base }: WantedCommit,
  ref: string,
): Promise<GitCommit | undefined> {
  const current = await folders.readRef(project.id, ref);
  if (isNewBranch && current !== undefined)
    throw new GantryError('BRANCH_EXISTS', `Cannot start the branch "${branch}": it is there already`);
  if (!isNewBranch && current === undefined && base !== null)
    throw new GantryError('REF_NOT_FOUND', `Cannot commit to "${branch}": there is no such branch`);
  if (!isNewBranch && current !== undefined && current !== base) throw movedOn(branch, base, current);
  if (base === null) {
    if (await folders.hasBranches(project.id))
      throw new GantryError(
        'COMMIT_CONFLICT',
        `Cannot commit to "${branch}": ${projectSlug(project)} is no longer empty; read its files anew`,
      );
    return undefined;
  }
  const commit = await repository.commit(project.id, base);
  if (!commit) throw new GantryError('REF_NOT_FOUND', `Cannot build on ${base}: there is no such commit`);
  return commit;
}

function movedOn(branch: string, base: string | null, current: string): GantryError {
  const since =
    base === null ? 'it has commits by now' : `it is at ${short(current)} now and no longer at ${short(base)}`;
  return new GantryError('COMMIT_CONFLICT', `Cannot commit to "${branch}": ${since}`, {
    details: { base, current },
  });
}

/** What each file becomes, with the mode that it has; refuses paths that cannot be written. */
async function planEntries(
  repository: Repository,
  projectId: number,
  base: GitCommit | undefined,
  files: WantedCommit['files'],
): Promise<readonly PlannedFile[]> {
  const seen = new Set<string>();
  const planned = [];
  for (const { path, text } of files) {
    const problem = pathProblem(path);
    if (problem !== undefined) throw invalid(`"${printable(path)}" cannot be a file: ${problem}`);
    if (seen.has(path)) throw invalid(`"${printable(path)}" is named twice`);
    seen.add(path);
    const found = base && (await findEntry(repository, projectId, base.id, path));
    if (found && found.kind !== 'file') throw invalid(`"${printable(path)}" is a ${found.kind} and no file`);
    if (!found && text === null) throw invalid(`"${printable(path)}" is to be removed and is not there`);
    planned.push({ path, text, mode: found?.mode ?? '100644' });
  }
  for (const path of seen)
    for (const other of seen)
      if (other.startsWith(`${path}/`)) throw invalid(`"${printable(path)}" would be both a file and a folder`);
  return planned;
}

/** The entry at a path; refuses a path that leads through something that is no folder. */
async function findEntry(repository: Repository, projectId: number, commit: string, path: string) {
  const parts = path.split('/');
  let folder = '';
  for (const [i, part] of parts.entries()) {
    const entry = (await repository.listFolder(projectId, commit, folder))?.find(({ name }) => name === part);
    if (!entry || i === parts.length - 1) return entry;
    folder = parts.slice(0, i + 1).join('/');
    if (entry.kind !== 'folder') throw invalid(`"${printable(folder)}" is a ${entry.kind} and no folder`);
  }
  return undefined;
}

/** Why this cannot be the path of a file, as the end of a sentence. git refuses more, such as names that mean `.git` to some system. */
function pathProblem(path: string): string | undefined {
  if (/[\0-\x1f\x7f]/.test(path)) return 'it has control characters';
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    return 'it has a part that is empty, "." or ".."';
  if (parts.some((part) => part.toLowerCase() === '.git')) return 'git keeps ".git" for itself';
  if (parts.some((part) => Buffer.byteLength(part) > 255)) return 'a part of it is longer than 255 bytes';
  return undefined;
}

/** Makes the commit beside the repository, and answers its id and a pack with what is new in it. */
async function buildCommit(
  { clock, folders }: CommitFilesDeps,
  project: Project,
  base: GitCommit | undefined,
  entries: readonly PlannedFile[],
  { branch, message }: WantedCommit,
  author: Person,
): Promise<{ readonly id: string; readonly pack: Buffer }> {
  const repository = folders.folder(project.id);
  const beside = await mkdtemp(join(tmpdir(), 'gantry-commit-'));
  try {
    const seconds = Math.floor(clock.now().getTime() / 1000);
    const name = author.displayName.replace(/[<>\0-\x1f]/g, '').trim() || author.name;
    const email = author.email.replace(/[<>\0-\x20]/g, '');
    const environment = {
      GIT_OBJECT_DIRECTORY: join(beside, 'objects'),
      GIT_ALTERNATE_OBJECT_DIRECTORIES: join(repository, 'objects'),
      GIT_INDEX_FILE: join(beside, 'index'),
      GIT_AUTHOR_NAME: name,
      GIT_AUTHOR_EMAIL: email,
      GIT_AUTHOR_DATE: `${seconds} +0000`,
      GIT_COMMITTER_NAME: name,
      GIT_COMMITTER_EMAIL: email,
      GIT_COMMITTER_DATE: `${seconds} +0000`,
    };
    const run = (args: readonly string[], input?: string): Promise<Buffer> =>
      git(args, { repository, environment, ...(input !== undefined && { input }) });
    const idOf = async (args: readonly string[], input?: string): Promise<string> =>
      (await run(args, input)).toString('latin1').trim();

    await mkdir(environment.GIT_OBJECT_DIRECTORY);
    if (base) await run(['read-tree', base.tree]);
    const removed = entries.filter(({ text }) => text === null);
    await run(['update-index', '-z', '--index-info'], removed.map(({ path }) => `0 ${zeroObject}\t${path}\0`).join(''));
    // One by one as arguments: of a list git leaves out, without a word, the paths that it does not take.
    const added: string[] = [];
    for (const { path, mode, text } of entries) {
      if (text === null) continue;
      added.push('--cacheinfo', `${mode},${await idOf(['hash-object', '-w', '--stdin'], text)},${path}`);
    }
    await run(['update-index', '--add', ...added]).catch((error: unknown) => {
      throw isGitRefusal(error) ? invalid(`git takes no such path: ${error.details['stderr']}`) : error;
    });
    const tree = await idOf(['write-tree']);
    if (tree === base?.tree)
      throw new GantryError('NOTHING_TO_COMMIT', `Cannot commit to "${branch}": the files read so there already`);
    const text = `${message.replaceAll('\r\n', '\n').trim()}\n`;
    const id = await idOf(['commit-tree', tree, ...(base ? ['-p', base.id] : []), '-F', '-'], text);
    const pack = await run(['pack-objects', '--quiet', '--revs', '--stdout'], `${id}\n${base ? `^${base.id}\n` : ''}`);
    return { id, pack };
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

function isGitRefusal(error: unknown): error is GantryError & { readonly details: Readonly<Record<string, unknown>> } {
  return error instanceof GantryError && error.code === 'GIT_FAILED' && typeof error.details?.['stderr'] === 'string';
}

/** Sends the commit as a git client would, and reads the report. */
async function push(
  deps: CommitFilesDeps,
  project: Project,
  { ref, before }: { readonly ref: string; readonly before: string },
  { id, pack }: { readonly id: string; readonly pack: Buffer },
  pusher: Pusher,
): Promise<void> {
  const command = pktLine(`${before} ${id} ${ref}\0report-status side-band-64k object-format=sha1 agent=gantry\n`);
  const answer = await deps.pushes.receive(project, Readable.from([Buffer.concat([command, flushPkt]), pack]), pusher);
  const { report, said } = unframe(await readAll(answer));
  const outcome = readReport(report);
  if (outcome?.accepted.has(ref)) return;
  const branch = ref.slice('refs/heads/'.length);
  const current = await deps.folders.readRef(project.id, ref);
  // Somebody was faster, between the look at the branch and the push.
  if (current !== undefined && current !== before)
    throw movedOn(branch, before === zeroObject ? null : before, current);
  const why = said.trim() || outcome?.refused.get(ref) || 'git gave no reason';
  throw new GantryError('PUSH_REFUSED', `Cannot commit to "${branch}": ${why}`);
}

async function readAll(answer: Buffer | ReadableStream<Uint8Array>): Promise<Buffer> {
  if (Buffer.isBuffer(answer)) return answer;
  const parts: Uint8Array[] = [];
  for await (const part of answer) parts.push(part);
  return Buffer.concat(parts);
}

/** The report (channel 1) and what was said beside it. */
function unframe(bytes: Buffer): { readonly report: Buffer; readonly said: string } {
  const report: Buffer[] = [];
  let said = '';
  for (const line of readPktLines(bytes)) {
    if (line.kind !== 'data') continue;
    if (line.payload[0] === 1) report.push(line.payload.subarray(1));
    else if (said.length < 8_192) said += line.payload.toString('utf8', 1);
  }
  return { report: Buffer.concat(report), said };
}

function invalid(why: string): GantryError {
  return new GantryError('COMMIT_INVALID', `Cannot commit: ${why}`);
}

const short = (id: string): string => id.slice(0, 10);
