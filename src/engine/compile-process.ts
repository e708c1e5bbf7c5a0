import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { GantryError } from '../core/errors.ts';
import { cpuMsOf, cpuTickMs } from '../lib/process-identity.ts';
import { chooseFiles } from './choose-files.ts';
import type { CompileInput, CompileResult } from './compile-input.ts';
import type { CompileAnswer, CompileQuestion, FromChild, ToChild } from './compile-messages.ts';
import type { EnvironmentFacts } from './environment-facts.ts';
import type { IncludedText } from './includes.ts';
import { type LintResult, refuseLargeText } from './lint-result.ts';
import type { LintCode } from './lint-rules.ts';
import { refuseLargeFile } from './pipeline-file-size.ts';
import type { ResolveResult } from './resolved-files.ts';

export interface CompileProcessOptions {
  /** How long one file may take, on a processor of its own: on a busy machine up to `patience` times as long. */
  readonly deadlineMs?: number;
  /** How long the child is kept without work. */
  readonly idleMs?: number;
  /** Questions that may wait; one more is refused with SERVER_BUSY. */
  readonly queueLimit?: number;
  /** The child's program, when it is not the one beside this file. It calls `answerQuestions`. */
  readonly program?: URL;
}

interface Waiting {
  readonly question: CompileQuestion;
  readonly resolve: (answer: CompileAnswer | Failure) => void;
  readonly reject: (error: Error) => void;
}

/** Why a question has no answer: the child was ended for it, or ended of it. */
type Failure = { readonly kind: 'timeout' } | { readonly kind: 'memory' };

interface Child {
  readonly process: ChildProcess;
  isReady: boolean;
  /** The end of what it wrote to its stderr: only what V8 says of memory is looked for in it. */
  lastWords: string;
}

/** 64 MB together (reliability R5). A small young generation, and one thread to help V8, keep the idle child small. */
const nodeFlags = ['--max-old-space-size=60', '--max-semi-space-size=1', '--v8-pool-size=1'];

/** V8 aborts when memory runs out. Without this, who pushes bad files would fill the disk with core dumps. */
const withoutCoreDumps = 'ulimit -c 0; exec "$0" "$@"';

/** A child that has not come up by then never will. */
const startLimitMs = 20_000;

/** Others may have the processor: a child that had less than its time gets the rest of it, up to so many times the time. */
const patience = 4;

/** The child stops by itself this much after its last deadline: for when the server does not live to end it. */
const graceMs = 1_000;

const lastWordsLength = 16_384;

/**
 * Compiles and lints in a process of its own, so that no text can hold up the server or take it along: one second and
 * 64 MB per file, then the child is ended and replaced. A thread would not do: Node 24 now and then crashes as a whole
 * when a thread reaches its memory limit. The child is kept warm while it is used, ends after an idle minute, and does
 * not outlive the server, even one that is killed. Files are handled one after the other, in the order they came.
 */
export class CompileProcess {
  readonly #deadlineMs: number;
  readonly #idleMs: number;
  readonly #queueLimit: number;
  readonly #program: string;
  readonly #queue: Waiting[] = [];
  #child: Child | undefined;
  #current: Waiting | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: CompileProcessOptions = {}) {
    this.#deadlineMs = options.deadlineMs ?? 1_000;
    this.#idleMs = options.idleMs ?? 60_000;
    this.#queueLimit = options.queueLimit ?? 1_000;
    this.#program = fileURLToPath(options.program ?? childProgram());
  }

  /** Whether a child is there. */
  get isWarm(): boolean {
    return this.#child !== undefined;
  }

  /** Process id of the child, while there is one. */
  get pid(): number | undefined {
    return this.#child?.process.pid;
  }

  /** Starts the child before it is needed: called at the beginning of a push, so that its end need not wait. */
  warm(): void {
    if (this.#isClosed) return;
    this.#startChild();
    if (!this.#current) this.#rest();
  }

  /**
   * As `compilePipeline`; a file that takes too long or too much memory is a `failed` result. Rejects with SERVER_BUSY
   * when too many wait or the process is closed.
   */
  async compile(input: CompileInput): Promise<CompileResult> {
    const files = chosenFiles(input);
    const tooLarge = refuseLargeFile(files, []);
    if (tooLarge) return tooLarge;
    const answer = await this.#ask({ kind: 'compile', input: { ...input, files } });
    if (answer.kind === 'compile') return answer.result;
    const path = input.files[0]?.path ?? '';
    return answer.kind === 'timeout' ? timedOut(path, this.#deadlineMs) : outOfMemory(path);
  }

  /** As `lintPipelineFile`, within the same limits. */
  async lint(
    path: string,
    text: string,
    facts?: EnvironmentFacts,
    includes?: readonly IncludedText[],
  ): Promise<LintResult> {
    const tooLarge = refuseLargeText(text);
    if (tooLarge) return tooLarge;
    const answer = await this.#ask({ kind: 'lint', path, text, facts, includes });
    if (answer.kind === 'lint') return answer.result;
    const message = answer.kind === 'timeout' ? tooSlow(this.#deadlineMs) : tooMuchMemory;
    return {
      isValid: false,
      findings: [{ severity: 'error', code: limitCode, message, line: 1, column: 1 }],
      workflows: [],
    };
  }

  /** As `resolveFiles`, within the same limits; of files that cannot be read so, as they are written. */
  async resolve(input: CompileInput): Promise<ResolveResult> {
    const files = chosenFiles(input);
    const tooLarge = refuseLargeFile(files, []);
    if (tooLarge?.kind === 'failed') return { files: [], problem: tooLarge.error.message };
    const answer = await this.#ask({ kind: 'resolve', input: { ...input, files } });
    if (answer.kind === 'resolve') return { files: answer.files };
    return { files: [], problem: answer.kind === 'timeout' ? tooSlow(this.#deadlineMs) : tooMuchMemory };
  }

  /** Ends the child; what waits is rejected. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const waiting = [...(this.#current ? [this.#current] : []), ...this.#queue.splice(0)];
    this.#current = undefined;
    clearTimeout(this.#deadline);
    clearTimeout(this.#idle);
    const child = this.#takeChild();
    for (const one of waiting)
      one.reject(new GantryError('SERVER_BUSY', 'Cannot read a pipeline file: the server is stopping'));
    if (child) await end(child);
  }

  #ask(question: CompileQuestion): Promise<CompileAnswer | Failure> {
    if (this.#isClosed || this.#queue.length >= this.#queueLimit) {
      const reason = this.#isClosed ? 'the server is stopping' : `${this.#queue.length} others wait already`;
      return Promise.reject(new GantryError('SERVER_BUSY', `Cannot read a pipeline file: ${reason}`));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ question, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#current || this.#isClosed) return;
    const next = this.#queue.shift();
    if (!next) {
      this.#rest();
      return;
    }
    this.#current = next;
    clearTimeout(this.#idle);
    const child = this.#startChild();
    if (child instanceof Error) {
      setImmediate(() => this.#abandon(child));
      return;
    }
    hold(child);
    if (child.isReady) this.#begin(child);
    else this.#arm(startLimitMs, () => this.#giveUp(child));
  }

  /** Hands the question over. The deadline counts from here: coming up is not the file's fault. */
  #begin(child: Child): void {
    const current = this.#current;
    if (!current) return;
    this.#watch(child);
    const message: ToChild = { question: current.question, limitMs: patience * this.#deadlineMs + graceMs };
    // One that cannot be told has ended, and its end is told by itself.
    child.process.send(message, () => {});
  }

  /** Ends the child when the file had its time: what others took of the machine is not the file's fault. */
  #watch({ process: { pid = 0 } }: Child): void {
    const [startedMs, cpuBeforeMs] = [performance.now(), cpuMsOf(pid)];
    const look = (): void => {
      const usedMs = (cpuMsOf(pid) ?? Number.POSITIVE_INFINITY) - (cpuBeforeMs ?? 0);
      const restMs = patience * this.#deadlineMs - (performance.now() - startedMs);
      if (usedMs >= this.#deadlineMs || restMs <= 0) this.#fail({ kind: 'timeout' });
      else this.#arm(Math.min(restMs, Math.max(cpuTickMs, this.#deadlineMs - usedMs)), look);
    };
    this.#arm(this.#deadlineMs, look);
  }

  #arm(limitMs: number, onLimit: () => void): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(onLimit, limitMs);
  }

  #settle(answer: CompileAnswer | Failure): void {
    const current = this.#current;
    this.#current = undefined;
    clearTimeout(this.#deadline);
    current?.resolve(answer);
    this.#next();
  }

  /** A bug of ours, and the caller's to log. */
  #abandon(error: Error): void {
    const current = this.#current;
    this.#current = undefined;
    clearTimeout(this.#deadline);
    current?.reject(error);
    this.#next();
  }

  /** Ends the child, whose present work has no end or no room; the next question gets a new one. */
  #fail(failure: Failure): void {
    const child = this.#takeChild();
    // Answered at once: nobody needs to wait for its end.
    if (child) void end(child);
    this.#settle(failure);
    this.warm();
  }

  #giveUp(child: Child): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    void end(child);
    this.#abandon(new Error(`The process that reads pipeline files did not start within ${startLimitMs} ms`));
  }

  #rest(): void {
    clearTimeout(this.#idle);
    if (this.#child) letGo(this.#child);
    this.#idle = setTimeout(() => {
      const child = this.#takeChild();
      if (child) void end(child);
    }, this.#idleMs);
    this.#idle.unref();
  }

  #takeChild(): Child | undefined {
    const child = this.#child;
    this.#child = undefined;
    return child;
  }

  /** The child that is there, or a new one, or why none can be started. */
  #startChild(): Child | Error {
    if (this.#child) return this.#child;
    let started: ChildProcess;
    try {
      started = fork(this.#program, {
        execPath: '/bin/sh',
        execArgv: ['-c', withoutCoreDumps, process.execPath, ...nodeFlags],
        env: {},
        cwd: '/',
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
    } catch (cause) {
      return new Error('Cannot start the process that reads pipeline files', { cause });
    }
    const child: Child = { process: started, isReady: false, lastWords: '' };
    this.#child = child;
    started.stderr?.setEncoding('utf8').on('data', (text: string) => {
      child.lastWords = `${child.lastWords}${text}`.slice(-lastWordsLength);
    });
    started.on('message', (message) => {
      if (this.#child === child) this.#hear(child, message as FromChild);
    });
    started.on('error', (error) => {
      if (this.#takeIfPresent(child)) this.#abandon(error);
    });
    // After the last of what it wrote.
    started.on('close', (code, signal) => {
      if (!this.#takeIfPresent(child)) return;
      const isOfFile = this.#current !== undefined && child.isReady;
      if (isOfFile && /out of memory/i.test(child.lastWords)) {
        this.#settle({ kind: 'memory' });
        this.warm();
      } else {
        this.#abandon(new Error(`The process that reads pipeline files ended by itself with ${signal ?? code}`));
      }
    });
    return child;
  }

  #takeIfPresent(child: Child): boolean {
    if (this.#child !== child) return false;
    this.#child = undefined;
    return true;
  }

  #hear(child: Child, message: FromChild): void {
    switch (message.kind) {
      case 'ready':
        child.isReady = true;
        this.#begin(child);
        return;
      case 'bug':
        this.#abandon(message.error);
        return;
      default:
        this.#settle(message);
    }
  }
}

/** Of files that do not count only their paths are handed over. */
function chosenFiles(input: CompileInput): CompileInput['files'] {
  const chosen: CompileInput['files'] = chooseFiles(input.files, input.rules?.path)?.files ?? [];
  return input.files.map((file) => (chosen.includes(file) ? file : { path: file.path, text: '' }));
}

/** The program's file: a source beside sources, and built beside what is built. */
function childProgram(): URL {
  const source = new URL('./compile-child.ts', import.meta.url);
  return import.meta.url.endsWith('.ts') ? source : new URL(source.href.replace(/\.ts$/, '.js'));
}

/** Resolves when the child is gone. It gets no say: it may be spinning. */
function end({ process: child }: Child): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.ref();
    child.kill('SIGKILL');
  });
}

/** Our own process may end while the child idles, and not while somebody waits for it. */
function hold({ process: child }: Child): void {
  child.ref();
  child.channel?.ref();
}

function letGo({ process: child }: Child): void {
  child.unref();
  child.channel?.unref();
  (child.stderr as Socket | null)?.unref();
}

const limitCode = 'yaml.limit' satisfies LintCode;
const tooMuchMemory = 'reading it takes more than 64 MB of memory';

function tooSlow(deadlineMs: number): string {
  return `reading it takes longer than ${deadlineMs} ms`;
}

function timedOut(path: string, limitMs: number): CompileResult {
  return {
    kind: 'failed',
    path,
    error: { message: `Cannot run ${path}: ${tooSlow(limitMs)}`, code: limitCode, path },
    trace: [{ subject: { kind: 'file' }, rule: 'file.timeout', verdict: 'failed', values: { path, limitMs } }],
  };
}

function outOfMemory(path: string): CompileResult {
  const values = { path, line: 1, column: 1, message: tooMuchMemory, code: limitCode };
  return {
    kind: 'failed',
    path,
    error: { message: `Cannot run ${path}: ${tooMuchMemory}`, code: limitCode, path },
    trace: [{ subject: { kind: 'file' }, rule: 'file.invalid', verdict: 'failed', values }],
  };
}
