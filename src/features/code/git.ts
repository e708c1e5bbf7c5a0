import { type ChildProcessByStdio, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { GantryError } from '../../core/errors.ts';

/**
 * The one place that starts `git`. No configuration but the repository's own, no prompt, no transport other
 * than what is named, never a work tree. Text from people reaches git only behind `--end-of-options` or on standard input.
 */
export interface GitOptions {
  /** The bare repository; absent for commands that need none. */
  readonly repository?: string;
  /** Added to the clean environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * Own session and process group: whoever ends it ends the programs that it started too. It outlives this process, and is
   * found and ended by the next, or ends by limits of its own.
   */
  readonly isDetached?: boolean;
  /** The most that one file may have which it writes; absent = no limit. */
  readonly maxFileBytes?: number;
}

/** A git that talks over its pipes. */
export type GitProcess = ChildProcessWithoutNullStreams;
/** As `GitProcess`, without its standard error. */
export type QuietGitProcess = ChildProcessByStdio<Writable, Readable, null>;

/** What git may see of our environment: where its programs are, and nothing else. */
export function gitEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/nonexistent',
    LANG: 'C.UTF-8',
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    GIT_PROTOCOL_FROM_USER: '0',
    // Served repositories never fetch: no transport is needed at all.
    GIT_ALLOW_PROTOCOL: 'none',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    ...more,
  };
}

function commandLine(args: readonly string[], options: GitOptions): string[] {
  // Data folders may belong to another user than the server (a mounted volume): what we created is ours to serve.
  const own = ['-c', 'safe.directory=*'];
  return options.repository === undefined ? [...own, ...args] : [...own, `--git-dir=${options.repository}`, ...args];
}

/** The kernel ends what writes more into a file. The limit is set by a shell, which sees none of git's words as its own. */
function limited(command: readonly string[], maxFileBytes: number): readonly [string, string[]] {
  const script = 'ulimit -f "$0" && exec git "$@"';
  // POSIX counts in blocks of 512 bytes.
  return ['/bin/sh', ['-c', script, String(Math.ceil(maxFileBytes / 512)), ...command]];
}

/** A git that talks over its pipes for as long as it likes; the caller ends it. */
export function spawnGit(args: readonly string[], options: GitOptions = {}): GitProcess {
  const command = commandLine(args, options);
  const [program, programArgs] =
    options.maxFileBytes === undefined ? (['git', command] as const) : limited(command, options.maxFileBytes);
  return spawn(program, programArgs, {
    cwd: '/',
    env: gitEnvironment(options.environment),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: options.isDetached === true,
    windowsHide: true,
  });
}

/** A git of which nobody reads the standard error: for processes that live long. */
export function spawnGitQuietly(args: readonly string[], options: GitOptions = {}): QuietGitProcess {
  return spawn('git', commandLine(args, options), {
    cwd: '/',
    env: gitEnvironment(options.environment),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
}

export interface GitAnswer {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** How long one that was told to end may take to remove what it had begun. */
const abortPatienceMs = 5_000;

function killGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (leader !== undefined) process.kill(-leader, signal);
  } catch {
    // Nobody is left in it.
  }
}

/** Runs git to its end. Ends it, and throws GIT_FAILED, when it takes longer or says more than allowed. */
export function runGit(
  args: readonly string[],
  options: GitOptions & {
    readonly timeoutMs?: number;
    readonly maxOutputBytes?: number;
    readonly input?: string | Uint8Array;
    /** Ends git; what it had begun it removes. */
    readonly signal?: AbortSignal;
  } = {},
): Promise<GitAnswer> {
  const { timeoutMs = 30_000, maxOutputBytes = 16 * 2 ** 20 } = options;
  return new Promise((resolve, reject) => {
    const child = spawnGit(args, options);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let stdoutBytes = 0;
    let stderrBytes = 0;
    let stopped: string | undefined;
    const end = (signal: NodeJS.Signals): void => {
      if (options.isDetached) killGroup(child.pid, signal);
      else child.kill(signal);
    };
    const stop = (why: string): void => {
      stopped ??= why;
      end('SIGKILL');
    };
    let patience: NodeJS.Timeout | undefined;
    const abort = (): void => {
      stopped ??= 'it was told to end';
      end('SIGTERM');
      patience = setTimeout(() => end('SIGKILL'), abortPatienceMs);
    };
    options.signal?.addEventListener('abort', abort);
    const timer = setTimeout(() => stop(`it took longer than ${timeoutMs} ms`), timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => {
      stdoutBytes += chunk.length;
      if (stdoutBytes > maxOutputBytes) stop(`it said more than ${maxOutputBytes} bytes`);
      else stdout.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderrBytes += chunk.length;
      if (stderrBytes <= 65_536) stderr.push(chunk);
    });
    // A git that ends early closes its standard input; its exit code tells why.
    child.stdin.on('error', () => undefined);
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(new GantryError('GIT_FAILED', `Cannot run git ${args[0] ?? ''}: it did not start`, { cause }));
    });
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      clearTimeout(patience);
      options.signal?.removeEventListener('abort', abort);
      if (stopped) reject(new GantryError('GIT_FAILED', `Cannot run git ${args[0] ?? ''}: ${stopped}`));
      else
        resolve({
          exitCode: exitCode ?? 128,
          stdout: Buffer.concat(stdout),
          stderr: Buffer.concat(stderr).toString('utf8').trim(),
        });
    });
    child.stdin.end(options.input);
  });
}

/** As `runGit`; an exit code other than 0 is GIT_FAILED. */
export async function git(args: readonly string[], options: Parameters<typeof runGit>[1] = {}): Promise<Buffer> {
  const answer = await runGit(args, options);
  if (answer.exitCode !== 0)
    throw new GantryError('GIT_FAILED', `Cannot run git ${args[0] ?? ''}: it ended with ${answer.exitCode}`, {
      details: { stderr: answer.stderr },
    });
  return answer.stdout;
}

/** Writes to git as fast as it takes it. One that has ended takes nothing more, and its client is heard to the end all the same. */
export async function writeAll(process: GitProcess, bytes: Buffer): Promise<void> {
  const { stdin } = process;
  if (bytes.length === 0 || stdin.destroyed || stdin.write(bytes)) return;
  await new Promise<void>((resolve) => {
    const goOn = (): void => {
      stdin.off('drain', goOn).off('close', goOn);
      resolve();
    };
    stdin.on('drain', goOn).on('close', goOn);
  });
}
