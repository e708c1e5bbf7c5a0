import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { renderingCommand } from '../choose-files.ts';
import type { EnvironmentFacts } from '../environment-facts.ts';
import { maxConvertedBytes } from '../pipeline-file-size.ts';
import { convertContext } from './convert-context.ts';
import type { ConvertAnswer, ConvertRequest } from './convert-messages.ts';

export interface ProgramConverterOptions {
  /** The module that `npm run build:convert` makes. */
  readonly wasmPath: string;
  /** Seconds of processor time that one program may take, its start included. A busy machine is not its fault. */
  readonly cpuSeconds?: number;
  /** Programs that run at once; others wait. */
  readonly atOnce?: number;
}

const cachedAnswers = 64;

/** 256 MiB for the module, which `--max-old-space-size` does not see, and a small heap for us. */
const nodeFlags = ['--wasm-max-mem-pages=4096', '--max-old-space-size=64', '--max-semi-space-size=1'];

/** No core dumps, and the kernel ends it by its processor time, also when the server was killed. */
const limited = 'ulimit -c 0; ulimit -t "$1"; shift; exec "$@"';

/** One that waits for anything but the processor never should: after so many times its processor time it is ended. */
const patience = 15;

const mostStderrBytes = 16 * 1024;

/**
 * Turns programs that write pipelines (Jsonnet, Starlark) into the documents that they write. Each runs in a process of
 * its own, as WebAssembly, with no file, connection or environment, and is ended when it takes too long or too much
 * memory. Answers are kept by program and event values.
 */
export class ProgramConverter {
  readonly #wasmPath: string;
  readonly #cpuSeconds: number;
  readonly #atOnce: number;
  readonly #answers = new Map<string, ConvertAnswer>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor({ wasmPath, cpuSeconds = 3, atOnce = 2 }: ProgramConverterOptions) {
    this.#wasmPath = wasmPath;
    this.#cpuSeconds = cpuSeconds;
    this.#atOnce = atOnce;
  }

  /** The documents of the program as one text, or what is wrong with it. */
  async convert(path: string, text: string, facts: EnvironmentFacts): Promise<ConvertAnswer> {
    if (!existsSync(this.#wasmPath)) return { failure: { message: whyAbsent(path), line: 1, column: 1 } };
    const request: ConvertRequest = {
      language: path.endsWith('.jsonnet') ? 'jsonnet' : 'starlark',
      path,
      text,
      context: convertContext(facts, path),
      maxBytes: maxConvertedBytes,
    };
    const input = JSON.stringify(request);
    const key = createHash('sha256')
      .update(`${statSync(this.#wasmPath).mtimeMs} ${input}`)
      .digest('hex');
    const known = this.#answers.get(key);
    if (known) return known;
    const answer = await this.#inTurn(() => this.#run(input));
    // What was ended might have been the machine's fault: the next one tries again.
    if (answer === 'ended') return { failure: { message: this.#whyEnded(), line: 1, column: 1 } };
    this.#answers.set(key, answer);
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= cachedAnswers) break;
      this.#answers.delete(oldest);
    }
    return answer;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#atOnce) await new Promise<void>((resume) => this.#waiting.push(resume));
    else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }

  #run(input: string): Promise<ConvertAnswer | 'ended'> {
    const child = spawn(
      '/bin/sh',
      [
        '-c',
        limited,
        'sh',
        String(this.#cpuSeconds),
        process.execPath,
        ...nodeFlags,
        fileURLToPath(childProgram()),
        this.#wasmPath,
      ],
      { env: {}, cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] },
    );
    return new Promise((resolve, reject) => {
      const output: Buffer[] = [];
      let lastWords = '';
      const deadline = setTimeout(() => child.kill('SIGKILL'), this.#cpuSeconds * 1_000 * patience);
      child.stdout.on('data', (bytes: Buffer) => output.push(bytes));
      child.stderr.setEncoding('utf8').on('data', (words: string) => {
        lastWords = `${lastWords}${words}`.slice(-mostStderrBytes);
      });
      // It may end before it has read everything: how it ended says more.
      child.stdin.on('error', () => undefined);
      child.on('error', (error) => {
        clearTimeout(deadline);
        reject(error);
      });
      child.on('close', (code, signal) => {
        clearTimeout(deadline);
        if (code === 0) resolve(JSON.parse(Buffer.concat(output).toString()) as ConvertAnswer);
        else if (
          signal === 'SIGKILL' ||
          signal === 'SIGXCPU' ||
          /out of memory|cannot allocate|call stack size/i.test(lastWords)
        )
          resolve('ended');
        else reject(new Error(`The process that runs pipeline programs ended with ${signal ?? code}: ${lastWords}`));
      });
      child.stdin.end(input);
    });
  }

  #whyEnded(): string {
    return `running it takes more than ${this.#cpuSeconds} s of processor time, 256 MiB of memory or a thousand calls within each other`;
  }
}

/** What a reader of a program without the converter can do. */
function whyAbsent(path: string): string {
  return `this Gantry was built without the converter for it: run "npm run build:convert" where Go is installed, or commit what "${renderingCommand(path)}" writes`;
}

/** The program's file: a source beside sources, and built beside what is built. */
function childProgram(): URL {
  const source = new URL('./convert-child.ts', import.meta.url);
  return import.meta.url.endsWith('.ts') ? source : new URL(source.href.replace(/\.ts$/, '.js'));
}
