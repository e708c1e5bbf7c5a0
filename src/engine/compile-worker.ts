import { Worker } from 'node:worker_threads';
import { GantryError } from '../core/errors.ts';
import type { CompileInput, CompileResult } from './compile-input.ts';
import { type LintResult, refuseLargeText } from './lint-result.ts';
import { refuseLargeFile } from './pipeline-file-size.ts';

export type CompileQuestion =
  | { readonly kind: 'compile'; readonly input: CompileInput }
  | { readonly kind: 'lint'; readonly path: string; readonly text: string };

export type CompileAnswer =
  | { readonly kind: 'compile'; readonly result: CompileResult }
  | { readonly kind: 'lint'; readonly result: LintResult };

/** What the thread says; `ready` once, when everything is loaded. */
export type ThreadMessage = CompileAnswer | { readonly kind: 'ready' };

export interface CompileWorkerOptions {
  /** How long one file may take. */
  readonly deadlineMs?: number;
  /** How long the thread is kept without work. */
  readonly idleMs?: number;
  /** Questions that may wait; one more is refused with SERVER_BUSY. */
  readonly queueLimit?: number;
}

interface Waiting {
  readonly question: CompileQuestion;
  readonly resolve: (answer: CompileAnswer | Failure) => void;
  readonly reject: (error: Error) => void;
}

/** Why a question has no answer: the thread was ended for it. */
type Failure = { readonly kind: 'timeout' } | { readonly kind: 'memory' };

interface Thread {
  readonly worker: Worker;
  isReady: boolean;
}

/** 64 MB together (reliability R5). A small young generation keeps the idle thread small. */
const memoryMb = { maxOldGenerationSizeMb: 60, maxYoungGenerationSizeMb: 4 } as const;

/** A thread that has not come up by then never will. */
const startLimitMs = 20_000;

/**
 * Compiles and lints in a thread of its own, so that no text can hold up the server: one second and 64 MB per file,
 * then the thread is ended and replaced. The thread is kept warm while it is used, and ends after ten idle minutes.
 * Files are handled one after the other, in the order they came.
 */
export class CompileWorker {
  readonly #deadlineMs: number;
  readonly #idleMs: number;
  readonly #queueLimit: number;
  readonly #queue: Waiting[] = [];
  #thread: Thread | undefined;
  #current: Waiting | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: CompileWorkerOptions = {}) {
    this.#deadlineMs = options.deadlineMs ?? 1_000;
    this.#idleMs = options.idleMs ?? 600_000;
    this.#queueLimit = options.queueLimit ?? 1_000;
  }

  /** Whether a thread is there. */
  get isWarm(): boolean {
    return this.#thread !== undefined;
  }

  /** Starts the thread before it is needed: called at the beginning of a push, so that its end need not wait. */
  warm(): void {
    if (this.#isClosed) return;
    this.#startThread();
    if (!this.#current) this.#rest();
  }

  /**
   * As `compilePipeline`; a file that takes too long or too much memory is a `failed` result. Rejects with SERVER_BUSY
   * when too many wait or the worker is closed.
   */
  async compile(input: CompileInput): Promise<CompileResult> {
    const tooLarge = refuseLargeFile(input, []);
    if (tooLarge) return tooLarge;
    // Of the others only their paths count.
    const files = input.files.map((file, index) => (index === 0 ? file : { path: file.path, text: '' }));
    const answer = await this.#ask({ kind: 'compile', input: { ...input, files } });
    if (answer.kind === 'compile') return answer.result;
    const path = input.files[0]?.path ?? '';
    return answer.kind === 'timeout' ? timedOut(path, this.#deadlineMs) : outOfMemory(path);
  }

  /** As `lintPipelineFile`, within the same limits. */
  async lint(path: string, text: string): Promise<LintResult> {
    const tooLarge = refuseLargeText(text);
    if (tooLarge) return tooLarge;
    const answer = await this.#ask({ kind: 'lint', path, text });
    if (answer.kind === 'lint') return answer.result;
    const message = answer.kind === 'timeout' ? tooSlow(this.#deadlineMs) : tooMuchMemory;
    return {
      isValid: false,
      findings: [{ severity: 'error', code: 'yaml.limit', message, line: 1, column: 1 }],
      workflows: [],
    };
  }

  /** Ends the thread; what waits is rejected. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const waiting = [...(this.#current ? [this.#current] : []), ...this.#queue.splice(0)];
    this.#current = undefined;
    clearTimeout(this.#deadline);
    clearTimeout(this.#idle);
    const thread = this.#thread;
    this.#thread = undefined;
    for (const one of waiting)
      one.reject(new GantryError('SERVER_BUSY', 'Cannot read a pipeline file: the server is stopping'));
    await thread?.worker.terminate();
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
    const thread = this.#startThread();
    // A process may end while the thread idles, and not while somebody waits for it.
    thread.worker.ref();
    if (thread.isReady) this.#begin(thread);
    else this.#arm(startLimitMs);
  }

  /** Hands the question over. The deadline counts from here: coming up is not the file's fault. */
  #begin(thread: Thread): void {
    const current = this.#current;
    if (!current) return;
    this.#arm(this.#deadlineMs);
    thread.worker.postMessage(current.question);
  }

  #arm(limitMs: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#fail({ kind: 'timeout' }), limitMs);
  }

  #settle(answer: CompileAnswer | Failure): void {
    const current = this.#current;
    this.#current = undefined;
    clearTimeout(this.#deadline);
    current?.resolve(answer);
    this.#next();
  }

  /** Ends the thread, whose present work has no end or no room; the next question gets a new one. */
  #fail(failure: Failure): void {
    const thread = this.#thread;
    this.#thread = undefined;
    // Answered at once: ending a thread that spins takes a moment, and nobody needs to wait for it.
    void thread?.worker.terminate();
    this.#settle(failure);
    this.warm();
  }

  #abandon(error: Error): void {
    const current = this.#current;
    this.#current = undefined;
    clearTimeout(this.#deadline);
    current?.reject(error);
    this.#next();
  }

  #rest(): void {
    clearTimeout(this.#idle);
    this.#thread?.worker.unref();
    this.#idle = setTimeout(() => {
      const thread = this.#thread;
      this.#thread = undefined;
      void thread?.worker.terminate();
    }, this.#idleMs);
    this.#idle.unref();
  }

  #startThread(): Thread {
    if (this.#thread) return this.#thread;
    const worker = new Worker(threadFile(), {
      resourceLimits: memoryMb,
      execArgv: [],
      env: {},
    });
    const thread: Thread = { worker, isReady: false };
    this.#thread = thread;
    worker.on('message', (message: ThreadMessage) => {
      if (this.#thread !== thread) return;
      if (message.kind === 'ready') {
        thread.isReady = true;
        this.#begin(thread);
      } else {
        this.#settle(message);
      }
    });
    worker.on('error', (error) => {
      if (this.#thread !== thread) return;
      this.#thread = undefined;
      const isMemory = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
      if (isMemory) {
        this.#settle({ kind: 'memory' });
        this.warm();
        return;
      }
      // Anything else is a bug of ours, and the caller's to log.
      this.#abandon(error instanceof Error ? error : new Error(String(error)));
    });
    worker.on('exit', (exitCode) => {
      if (this.#thread !== thread) return;
      this.#thread = undefined;
      this.#abandon(new Error(`The thread that reads pipeline files ended by itself with ${exitCode}`));
    });
    return thread;
  }
}

/** The thread's file: a source beside sources, and built beside what is built. */
function threadFile(): URL {
  const source = new URL('./compile-thread.ts', import.meta.url);
  return import.meta.url.endsWith('.ts') ? source : new URL(source.href.replace(/\.ts$/, '.js'));
}

const tooMuchMemory = 'reading it takes more than 64 MB of memory';

function tooSlow(deadlineMs: number): string {
  return `reading it takes longer than ${deadlineMs} ms`;
}

function timedOut(path: string, limitMs: number): CompileResult {
  return {
    kind: 'failed',
    path,
    error: { message: `Cannot run ${path}: ${tooSlow(limitMs)}`, path },
    trace: [{ subject: { kind: 'file' }, rule: 'file.timeout', verdict: 'failed', values: { path, limitMs } }],
  };
}

function outOfMemory(path: string): CompileResult {
  const values = { path, line: 1, column: 1, message: tooMuchMemory };
  return {
    kind: 'failed',
    path,
    error: { message: `Cannot run ${path}: ${tooMuchMemory}`, path },
    trace: [{ subject: { kind: 'file' }, rule: 'file.invalid', verdict: 'failed', values }],
  };
}
