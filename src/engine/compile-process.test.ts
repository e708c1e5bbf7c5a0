import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { compileInputOf } from '../../test/support/compile-input.ts';
import { isAlive, ownIdentity, type ProcessIdentity, startTicksOf } from '../lib/process-identity.ts';
import { CompileProcess, type CompileProcessOptions } from './compile-process.ts';

const input = (text: string, path = '.gantry.yml') => compileInputOf(path, text);

const small = `kind: pipeline
steps:
  - {name: test, image: base/node:24, commands: [npm test]}
`;

const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

/** What tries to make a reader of YAML work without end (reliability class 32). */
const bombs: Readonly<Record<string, string>> = {
  'an alias bomb': `a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n${lines(12, (i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(10)}]`)}\nkind: pipeline\nsteps: *a12\n`,
  'an alias bomb of maps': `kind: pipeline\nm0: &m0 {x: y}\n${lines(25, (i) => `m${i + 1}: &m${i + 1} {a: *m${i}, b: *m${i}}`)}\nsteps: [*m25]\n`,
  '20,000 keys': `kind: pipeline\n${lines(20_000, (i) => `k${i}: v`)}\n`,
  '20,000 equal keys': `kind: pipeline\n${lines(20_000, () => 'k: v')}\n`,
  '10,000 levels of lists': `kind: pipeline\nsteps: ${'['.repeat(10_000)}`,
  '10,000 levels of maps': `kind: pipeline\nsteps: ${'{a: '.repeat(10_000)}`,
  'a ladder of dashes': `kind: pipeline\nsteps:\n${'- '.repeat(10_000)}x\n`,
  'a staircase of maps': lines(700, (i) => `${' '.repeat(i)}a:`),
  'a chain of merges': `kind: pipeline\nm0: &m0 {k0: v}\n${lines(3_000, (i) => `m${i + 1}: &m${i + 1} {<<: *m${i}, k${i + 1}: v}`)}\nsteps: [*m3000]\n`,
  '20,000 merge targets': `kind: pipeline\nm: &m {name: a, image: b}\nsteps:\n  - <<: [${'*m, '.repeat(20_000)}]\n`,
  'a merge of merges': `kind: pipeline\nm0: &m0 {k: v}\n${lines(40, (i) => `m${i + 1}: &m${i + 1} {<<: [*m${i}, *m${i}]}`)}\nsteps: [*m40]\n`,
  'a node that holds itself': 'kind: pipeline\nsteps: &s [*s]\n',
  'a number of 200,000 digits': `kind: pipeline\nclone: {depth: ${'9'.repeat(200_000)}}\nsteps: []\n`,
  '50,000 nested substitutions': `kind: pipeline\nname: ${'${a:-'.repeat(40_000)}\n`,
  'substitutions that grow': `kind: pipeline\nx: ${'${DRONE_COMMIT_MESSAGE//e/${DRONE_COMMIT_MESSAGE}}'.repeat(2_000)}\n`,
  'a pattern of many stars': `kind: pipeline\ntrigger: {branch: "${'*a'.repeat(20_000)}"}\nsteps: []\n`,
  'braces that multiply': `kind: pipeline\ntrigger: {branch: "${'{a,b}'.repeat(10_000)}"}\nsteps: []\n`,
  'braces that nest': `kind: pipeline\ntrigger: {branch: "${'{'.repeat(50_000)}"}\nsteps: []\n`,
  '60,000 documents': 'kind: x\n---\n'.repeat(20_000),
  '20,000 steps that all wait': `kind: pipeline\nsteps:\n${lines(5_000, (i) => `- {name: s${i}, image: x, depends_on: [s${i + 1}]}`)}\n`,
  'an unclosed quote': `kind: pipeline\nname: "${'a\\n'.repeat(60_000)}`,
  'colons and question marks': `kind: pipeline\n${'? : '.repeat(60_000)}`,
  'anchors without end': lines(20_000, (i) => `- &a${i} x`),
  'tabs and brackets': `kind: pipeline\nsteps: [\n\t${'[\t'.repeat(99)}${'],\t'.repeat(99)}\n]\n`,
  NUL: 'kind: pipeline\nname: a\0b\nsteps: []\n',
  'a foreign tag': 'kind: pipeline\nname: !!js/function "function () { throw 1 }"\nsteps: []\n',
  '60,000 tags and colons without a space': `kind: pipeline\n${'!a:'.repeat(60_000)}\n`,
};

/** Where the deadline is not what is tested: on a busy machine a small file may take a second as well. */
const patient = { deadlineMs: 20_000 } as const;

/** Resolves once a small file is read within the deadline. */
async function comeUp(reader: CompileProcess): Promise<void> {
  while ((await reader.compile(input(small))).kind !== 'planned');
}

describe('CompileProcess', () => {
  let reader: CompileProcess | undefined;
  afterEach(async () => {
    await reader?.close();
    reader = undefined;
  });

  it('answers as compilePipeline does', async () => {
    reader = new CompileProcess(patient);
    const result = await reader.compile(input(small));
    expect(result.kind === 'planned' && result.plan.workflows[0]?.steps.map((step) => step.name)).toEqual([
      'clone',
      'test',
    ]);
  });

  it('lints', async () => {
    reader = new CompileProcess(patient);
    expect(await reader.lint('.gantry.yml', 'kind: pipeline\nstep: []\n')).toMatchObject({
      isValid: false,
      findings: [{ code: 'workflow.no-steps' }, { code: 'key.unknown', line: 2, column: 1 }],
    });
  });

  it('answers each bomb within its deadline, and goes on', async () => {
    reader = new CompileProcess();
    for (const [name, text] of Object.entries(bombs)) {
      for (const path of ['.gantry.yml', '.drone.yml']) {
        // A child that had to be replaced comes up outside of what is measured.
        await comeUp(reader);
        const asked = reader.compile({
          ...input(text.slice(0, 262_144), path),
          event: { ...input('').event, message: 'e'.repeat(4_000) },
        });
        // A timer of the same loop as the deadline's: on a busy machine both are late, and not one without the other.
        const tooLate = new AbortController();
        const result = await Promise.race([asked, sleep(4_500, undefined, { signal: tooLate.signal })]);
        tooLate.abort();
        if (!result) throw new Error(`There is no answer for ${name} in ${path} half a second after the last deadline`);
        expect(['failed', 'planned', 'nothing'], name).toContain(result.kind);
        if (result.kind === 'failed')
          expect(result.error.message, name).toMatch(/^Cannot run \.(gantry|drone)\.yml: ./);
      }
    }
    await comeUp(reader);
  }, 60_000);

  it('keeps the event loop free while a bomb is read', async () => {
    reader = new CompileProcess(patient);
    await reader.compile(input(small));
    const before = process.threadCpuUsage();
    await reader.compile(input(bombs['20,000 keys'] ?? ''));
    const { user, system } = process.threadCpuUsage(before);
    // Time of this thread, and not of the clock: others may be using the machine.
    expect((user + system) / 1_000).toBeLessThan(100);
  });

  it('ends a child that takes too long, and answers the next file with a new one', async () => {
    reader = new CompileProcess({ deadlineMs: 1 });
    const text = `kind: pipeline\n${lines(15_000, (i) => `k${i}: v`)}\nsteps: []\n`;
    const result = await reader.compile(input(text));
    expect(result).toMatchObject({
      kind: 'failed',
      error: { message: 'Cannot run .gantry.yml: reading it takes longer than 1 ms' },
      trace: [{ rule: 'file.timeout', values: { path: '.gantry.yml', limitMs: 1 } }],
    });
    // Nobody waits for the new one to come up.
    expect(reader.isWarm).toBe(true);
    expect((await reader.lint('.gantry.yml', small)).findings.map((finding) => finding.code)).not.toContain(
      'yaml.syntax',
    );
  });

  it('answers for a file that takes too much memory, and goes on', async () => {
    reader = new CompileProcess({ deadlineMs: 20_000 });
    const text = `kind: pipeline\nenvironment:\n${lines(3_000, (i) => `  k${i}: ${'v'.repeat(20)}`)}\nsteps:\n${lines(999, (i) => `- {name: s${i}, image: x}`)}\n`;
    const result = await reader.compile(input(text));
    expect(result).toMatchObject({
      kind: 'failed',
      error: { message: 'Cannot run .gantry.yml: reading it takes more than 64 MB of memory' },
      trace: [{ rule: 'file.invalid' }],
    });
    expect((await reader.compile(input(small))).kind).toBe('planned');
  });

  it('refuses a file of more than 256 KiB before it is read', async () => {
    reader = new CompileProcess();
    const result = await reader.compile(input(`# ${'x'.repeat(262_144)}`));
    expect(result).toMatchObject({ kind: 'failed', trace: [{ rule: 'file.too-large', values: { bytes: 262_146 } }] });
    expect(reader.isWarm).toBe(false);
  });

  it('answers files in the order they came', async () => {
    reader = new CompileProcess(patient);
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        await reader?.compile(input(small));
        order.push(index);
      }),
    );
    expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  it('refuses more than may wait', async () => {
    reader = new CompileProcess({ ...patient, queueLimit: 1 });
    const first = reader.compile(input(small));
    const second = reader.compile(input(small));
    await expect(reader.compile(input(small))).rejects.toMatchObject({ code: 'SERVER_BUSY' });
    expect((await Promise.all([first, second])).map((result) => result.kind)).toEqual(['planned', 'planned']);
  });

  it('ends its child when nobody needs it any more', async () => {
    reader = new CompileProcess({ ...patient, idleMs: 1 });
    await reader.compile(input(small));
    await vi.waitFor(() => expect(reader?.isWarm).toBe(false));
    expect((await reader.compile(input(small))).kind).toBe('planned');
  });

  it('rejects what waits when it is closed', async () => {
    reader = new CompileProcess();
    reader.warm();
    expect(reader.isWarm).toBe(true);
    const waiting = reader.compile(input(small));
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'SERVER_BUSY' });
    await reader.close();
    await outcome;
    await expect(reader.compile(input(small))).rejects.toMatchObject({ code: 'SERVER_BUSY' });
  });

  it('counts on an idle minute by itself, and no longer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      reader = new CompileProcess();
      reader.warm();
      vi.advanceTimersByTime(59_999);
      expect(reader.isWarm).toBe(true);
      vi.advanceTimersByTime(1);
      expect(reader.isWarm).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });

  it('leaves no process behind when it is closed, not even one that spins', async () => {
    reader = faulty({ deadlineMs: 60_000 });
    await reader.lint('.gantry.yml', 'fine');
    const child = identityOf(reader.pid);
    const waiting = expect(reader.lint('.gantry.yml', 'spin')).rejects.toMatchObject({ code: 'SERVER_BUSY' });
    await workOf(child, 20);
    await reader.close();
    await waiting;
    expect(isAlive(child)).toBe(false);
  });
});

describe('CompileProcess, when its reader is at fault,', () => {
  let reader: CompileProcess;
  afterEach(() => reader.close());

  const read = async (text: string): Promise<string | undefined> => {
    const { workflows, findings } = await reader.lint('.gantry.yml', text);
    return workflows[0]?.name ?? findings[0]?.message;
  };

  it.each(['spin', 'spin in a regular expression'])('ends a child that would %s at the deadline', async (text) => {
    reader = faulty({ deadlineMs: 200 });
    while ((await read('fine')) !== 'fine');
    const child = identityOf(reader.pid);
    expect(await read(text)).toBe('reading it takes longer than 200 ms');
    await vi.waitFor(() => expect(isAlive(child)).toBe(false));
    while ((await read('fine')) !== 'fine');
  });

  it('rejects the one question that a crash is the answer to, and no other', async () => {
    reader = faulty();
    const answers = await Promise.allSettled(['one', 'crash', 'two', 'exit', 'three'].map(read));
    expect(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : String(answer.reason)))).toEqual([
      'one',
      'Error: The process that reads pipeline files ended by itself with SIGSEGV',
      'two',
      'Error: The process that reads pipeline files ended by itself with 7',
      'three',
    ]);
  });

  it('rejects with what the reader threw, and keeps the child', async () => {
    reader = faulty();
    await read('fine');
    const { pid } = reader;
    await expect(read('throw')).rejects.toMatchObject({ name: 'TypeError', message: 'this is a bug' });
    expect(await read('fine')).toBe('fine');
    expect(reader.pid).toBe(pid);
  });

  it('knows one that fills the memory by what V8 says, and takes nothing else for it', async () => {
    reader = faulty({ deadlineMs: 60_000 });
    expect(await read('fill the memory')).toBe('reading it takes more than 64 MB of memory');
    expect(await read('talk')).toBe('talk');
    await expect(read('exit')).rejects.toThrow('ended by itself with 7');
  });

  it('is ended by the server alone: signals to the whole group let it finish', async () => {
    reader = faulty();
    await read('fine');
    const { pid } = reader;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid!, signal);
    expect(await read('fine')).toBe('fine');
    expect(reader.pid).toBe(pid);
  });

  it('rejects, and goes on to reject, where no child can start', async () => {
    reader = new CompileProcess({ program: new URL('./no-such-program.ts', import.meta.url) });
    await expect(read('fine')).rejects.toThrow('ended by itself with 1');
    await expect(read('fine')).rejects.toThrow('ended by itself with 1');
    expect(reader.isWarm).toBe(false);
  });
});

describe('The child of a server that is killed', () => {
  const servers: ChildProcess[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.kill('SIGKILL');
  });

  /** A server whose child answered `texts`, and that child. */
  async function serving(deadlineMs: number, texts: readonly string[], answered: number) {
    const program = fileURLToPath(new URL('../../test/support/compile-server-child.ts', import.meta.url));
    const server = spawn(process.execPath, [program, String(deadlineMs), ...texts], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    servers.push(server);
    const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
    const child = identityOf(Number((await lines.next()).value));
    for (let i = 0; i < answered; i += 1) expect((await lines.next()).value).toBe('answered');
    return { server, child };
  }

  async function kill(server: ChildProcess): Promise<void> {
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  }

  const ending = (child: ProcessIdentity) =>
    vi.waitFor(() => expect(isAlive(child)).toBe(false), { timeout: 20_000, interval: 20 });

  it('ends while it is coming up', async () => {
    const { server, child } = await serving(1_000, [], 0);
    await kill(server);
    await ending(child);
  });

  it('ends while it is idle', async () => {
    const { server, child } = await serving(1_000, ['fine'], 1);
    expect(isAlive(child)).toBe(true);
    await kill(server);
    await ending(child);
  });

  it.each(['spin', 'spin in a regular expression'])('ends while it would %s', async (text) => {
    const { server, child } = await serving(1_500, ['fine', text], 1);
    await workOf(child, 20);
    await kill(server);
    // It does not know yet: it is busy.
    expect(isAlive(child)).toBe(true);
    await ending(child);
  });
});

function faulty(options: CompileProcessOptions = {}): CompileProcess {
  const program = new URL('../../test/support/faulty-compile-child.ts', import.meta.url);
  return new CompileProcess({ ...patient, ...options, program });
}

function identityOf(pid: number | undefined): ProcessIdentity {
  if (pid === undefined) throw new Error('There is no child');
  return { pid, startTicks: startTicksOf(pid) ?? 0, bootId: ownIdentity().bootId };
}

/** Resolves once the child has used so much of a processor since now. */
async function workOf({ pid }: ProcessIdentity, ms: number): Promise<void> {
  const ticks = (): number => {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[11]);
  };
  const before = ticks();
  await vi.waitFor(() => expect((ticks() - before) * 10).toBeGreaterThanOrEqual(ms), { timeout: 20_000, interval: 5 });
}
