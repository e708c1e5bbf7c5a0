import { spawn } from 'node:child_process';

/** At most this much of what a program of the host prints is kept. */
const outputLimitBytes = 1 << 20;

export interface ProgramResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of the host with input on its standard input. Resolves also when it fails; kills it after the timeout. */
export function runProgram(
  command: readonly string[],
  options: { readonly input?: string; readonly timeoutMs?: number } = {},
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const [program, ...parameters] = command;
    const child = spawn(program!, parameters, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      timeout: options.timeoutMs ?? 20_000,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (bytes: Buffer) => {
      if (stdout.length < outputLimitBytes) stdout += bytes.toString('utf8');
    });
    child.stderr.on('data', (bytes: Buffer) => {
      if (stderr.length < outputLimitBytes) stderr += bytes.toString('utf8');
    });
    child.stdin.on('error', () => {
      // It ended before it read everything: its exit code tells.
    });
    child.once('error', (error) => resolve({ code: null, stdout, stderr: error.message }));
    child.once('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(options.input ?? '');
  });
}
