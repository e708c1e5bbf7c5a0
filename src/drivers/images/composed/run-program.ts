import { spawn } from 'node:child_process';

/** Runs a program without a shell, in a clean environment; rejects with its last words when it fails. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly environment?: Readonly<Record<string, string>>;
    readonly timeoutMs?: number;
    readonly outputLimitBytes?: number;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<string> {
  const { cwd, environment = {}, timeoutMs = 900_000, outputLimitBytes = 128 * 2 ** 20, signal } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      ...(cwd ? { cwd } : {}),
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      ...(signal ? { signal } : {}),
    });
    const output: Buffer[] = [];
    let size = 0;
    let lastWords = '';
    child.stdout.on('data', (bytes: Buffer) => {
      size += bytes.length;
      if (size > outputLimitBytes) child.kill('SIGKILL');
      else output.push(bytes);
    });
    child.stderr.on('data', (bytes: Buffer) => {
      lastWords = `${lastWords}${bytes}`.slice(-2_000);
    });
    child.on('error', reject);
    child.on('close', (code, killedBy) => {
      if (code === 0) resolve(Buffer.concat(output).toString());
      else reject(new Error(`${program} ended with ${killedBy ?? `exit code ${code}`}: ${lastWords.trim()}`));
    });
  });
}
