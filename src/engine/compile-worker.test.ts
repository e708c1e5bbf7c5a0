import { performance } from 'node:perf_hooks';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CompileInput } from './compile-input.ts';
import { CompileWorker } from './compile-worker.ts';

const input = (text: string, path = '.gantry.yml'): CompileInput => ({
  files: [{ path, text }],
  event: {
    kind: 'push',
    ref: 'refs/heads/main',
    branch: 'main',
    before: 'a'.repeat(40),
    commit: 'b'.repeat(40),
    message: 'Mend the crane',
    authorName: 'Mei',
    authorEmail: 'mei@example.com',
    personName: 'mei',
    parameters: {},
  },
  project: {
    owner: 'shop',
    name: 'store',
    visibility: 'private',
    defaultBranch: 'main',
    link: 'http://gantry.example/shop/store',
    cloneUrl: 'http://gantry.example/shop/store.git',
  },
  pipeline: { number: 1, createdAt: new Date(0), link: 'http://gantry.example/shop/store/pipelines/1' },
  instanceUrl: 'http://gantry.example',
  secretNames: [],
  stepTimeoutMs: 3_600_000,
});

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

describe('CompileWorker', () => {
  let worker: CompileWorker | undefined;
  afterEach(async () => {
    await worker?.close();
    worker = undefined;
  });

  it('answers as compilePipeline does', async () => {
    worker = new CompileWorker();
    const result = await worker.compile(input(small));
    expect(result.kind === 'planned' && result.plan.workflows[0]?.steps.map((step) => step.name)).toEqual([
      'clone',
      'test',
    ]);
  });

  it('lints', async () => {
    worker = new CompileWorker();
    expect(await worker.lint('.gantry.yml', 'kind: pipeline\nstep: []\n')).toMatchObject({
      isValid: false,
      findings: [{ code: 'workflow.no-steps' }, { code: 'key.unknown', line: 2, column: 1 }],
    });
  });

  it('answers each bomb within its deadline, and goes on', async () => {
    worker = new CompileWorker();
    await worker.compile(input(small));
    for (const [name, text] of Object.entries(bombs)) {
      for (const path of ['.gantry.yml', '.drone.yml']) {
        // A thread that had to be replaced comes up outside of what is measured.
        await worker.compile(input(small));
        const startedAt = performance.now();
        const result = await worker.compile({
          ...input(text.slice(0, 262_144), path),
          event: { ...input('').event, message: 'e'.repeat(4_000) },
        });
        const tookMs = performance.now() - startedAt;
        // The deadline is a second; the rest is for a machine that others keep busy.
        expect(tookMs, `${name} in ${path}`).toBeLessThan(2_500);
        expect(['failed', 'planned', 'nothing'], name).toContain(result.kind);
        if (result.kind === 'failed')
          expect(result.error.message, name).toMatch(/^Cannot run \.(gantry|drone)\.yml: ./);
      }
    }
    expect((await worker.compile(input(small))).kind).toBe('planned');
  }, 60_000);

  it('keeps the event loop free while a bomb is read', async () => {
    worker = new CompileWorker();
    await worker.compile(input(small));
    const before = process.threadCpuUsage();
    await worker.compile(input(bombs['20,000 keys'] ?? ''));
    const { user, system } = process.threadCpuUsage(before);
    // Time of this thread, and not of the clock: others may be using the machine.
    expect((user + system) / 1_000).toBeLessThan(100);
  });

  it('ends a thread that takes too long, and answers the next file with a new one', async () => {
    worker = new CompileWorker({ deadlineMs: 1 });
    const text = `kind: pipeline\n${lines(15_000, (i) => `k${i}: v`)}\nsteps: []\n`;
    const result = await worker.compile(input(text));
    expect(result).toMatchObject({
      kind: 'failed',
      error: { message: 'Cannot run .gantry.yml: reading it takes longer than 1 ms' },
      trace: [{ rule: 'file.timeout', values: { path: '.gantry.yml', limitMs: 1 } }],
    });
    // Nobody waits for the new one to come up.
    expect(worker.isWarm).toBe(true);
    expect((await worker.lint('.gantry.yml', small)).findings.map((finding) => finding.code)).not.toContain(
      'yaml.syntax',
    );
  });

  it('ends a thread that takes too much memory, and goes on', async () => {
    worker = new CompileWorker({ deadlineMs: 20_000 });
    const text = `kind: pipeline\nenvironment:\n${lines(3_000, (i) => `  k${i}: ${'v'.repeat(20)}`)}\nsteps:\n${lines(999, (i) => `- {name: s${i}, image: x}`)}\n`;
    const result = await worker.compile(input(text));
    expect(result).toMatchObject({
      kind: 'failed',
      error: { message: 'Cannot run .gantry.yml: reading it takes more than 64 MB of memory' },
      trace: [{ rule: 'file.invalid' }],
    });
    expect((await worker.compile(input(small))).kind).toBe('planned');
  });

  it('refuses a file of more than 256 KiB before it is read', async () => {
    worker = new CompileWorker();
    const result = await worker.compile(input(`# ${'x'.repeat(262_144)}`));
    expect(result).toMatchObject({ kind: 'failed', trace: [{ rule: 'file.too-large', values: { bytes: 262_146 } }] });
    expect(worker.isWarm).toBe(false);
  });

  it('answers files in the order they came', async () => {
    worker = new CompileWorker();
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        await worker?.compile(input(small));
        order.push(index);
      }),
    );
    expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  it('refuses more than may wait', async () => {
    worker = new CompileWorker({ queueLimit: 1 });
    const first = worker.compile(input(small));
    const second = worker.compile(input(small));
    await expect(worker.compile(input(small))).rejects.toMatchObject({ code: 'SERVER_BUSY' });
    expect((await Promise.all([first, second])).map((result) => result.kind)).toEqual(['planned', 'planned']);
  });

  it('ends its thread when nobody needs it any more', async () => {
    worker = new CompileWorker({ idleMs: 1 });
    await worker.compile(input(small));
    await vi.waitFor(() => expect(worker?.isWarm).toBe(false));
    expect((await worker.compile(input(small))).kind).toBe('planned');
  });

  it('rejects what waits when it is closed', async () => {
    worker = new CompileWorker();
    worker.warm();
    expect(worker.isWarm).toBe(true);
    const waiting = worker.compile(input(small));
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'SERVER_BUSY' });
    await worker.close();
    await outcome;
    await expect(worker.compile(input(small))).rejects.toMatchObject({ code: 'SERVER_BUSY' });
  });
});
