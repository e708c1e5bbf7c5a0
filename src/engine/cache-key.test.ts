import { describe, expect, it } from 'vitest';
import { checksumPaths, resolveCacheKey } from './cache-key.ts';
import { compilePipeline } from './compile.ts';
import type { CompileInput } from './compile-input.ts';
import { lintPipelineFile } from './lint.ts';
import { sampleFacts } from './sample-facts.ts';

const lock = 'a'.repeat(40);

function file(cache: string, more = ''): string {
  return `kind: pipeline\nsteps:\n- name: build\n  image: base/node:24\n  commands: [npm ci]\n  cache:\n    ${cache.replaceAll('\n', '\n    ')}\n${more}`;
}

function compile(text: string, input: Partial<CompileInput> = {}) {
  return compilePipeline({
    ...sampleFacts,
    files: [{ path: '.gantry.yml', text }],
    secretNames: [],
    stepTimeoutMs: 1_000,
    ...input,
  });
}

function cacheOf(text: string, input: Partial<CompileInput> = {}) {
  const result = compile(text, input);
  if (result.kind !== 'planned') throw new Error(JSON.stringify(result));
  return result.plan.workflows[0]!.steps.find(({ name }) => name === 'build')?.cache;
}

function findings(cache: string, more = '') {
  return lintPipelineFile('.gantry.yml', file(cache, more)).findings.map(({ code, line }) => [code, line]);
}

describe('the key of a cache', () => {
  it('has the checksum of what the commit has: the same blob is the same key, another one another', () => {
    const text = 'npm-{{ checksum "package-lock.json" }}';
    const key = (id: string) => resolveCacheKey(text, { 'package-lock.json': id }).key;
    expect(key(lock)).toMatch(/^npm-[0-9a-f]{16}$/);
    expect(key(lock)).toBe(key(lock));
    expect(key(lock)).not.toBe(key('b'.repeat(40)));
  });

  it('names the files that are not there, and tells two of them apart', () => {
    expect(resolveCacheKey('{{ checksum "a" "./b" }}', { a: lock })).toMatchObject({ missing: ['b'] });
    expect(resolveCacheKey('{{ checksum "a" }}', {}).key).not.toBe(resolveCacheKey('{{ checksum "b" }}', {}).key);
  });

  it.each(['', '{{ arch }}', '{{ checksum lock }}', `${'x'.repeat(201)}`, 'a\u0007'])('is not %j', (text) => {
    expect(resolveCacheKey(text, undefined).fault).toBeDefined();
  });

  it('tells before anything is read which files it is about', () => {
    expect(checksumPaths('key: a-{{checksum "x/y.lock" "z"}}\nrestore: [b-{{ checksum "z" }}]')).toEqual([
      'x/y.lock',
      'z',
    ]);
  });
});

describe('cache of .gantry.yml', () => {
  it('is planned with its checksum, its variables and absolute paths', () => {
    const text = file(
      'key: npm-${DRONE_BRANCH}-{{ checksum "package-lock.json" }}\nrestore: ["npm-${DRONE_BRANCH}-", npm-]\npaths: [node_modules, ./a/b/, /root/.npm]',
    );
    const cache = cacheOf(text, { blobs: { 'package-lock.json': lock } });
    expect(cache?.key).toMatch(/^npm-main-[0-9a-f]{16}$/);
    expect(cache?.restore).toEqual(['npm-main-', 'npm-']);
    expect(cache?.paths).toEqual(['/drone/src/node_modules', '/drone/src/a/b', '/root/.npm']);
  });

  it('of the document is that of each step which has none of its own; nothing takes it away', () => {
    const step = (name: string, more: string) => `- {name: ${name}, image: x, commands: [ls]${more}}\n`;
    const text = `kind: pipeline\ncache: {key: all, paths: [a]}\nservices:\n- {name: db, image: db}\nsteps:\n${step('one', '')}${step('two', ', cache: {key: own, paths: [b]}')}${step('three', ', cache: ')}`;
    const result = compile(text);
    const steps = result.kind === 'planned' ? result.plan.workflows[0]!.steps : [];
    expect(steps.map(({ name, cache }) => [name, cache?.key])).toEqual([
      ['clone', undefined],
      ['db', undefined],
      ['one', 'all'],
      ['two', 'own'],
      ['three', undefined],
    ]);
  });

  it.each(['project', 'start'] as const)(
    'is left out of the plan when caches are switched off by the %s, and that is said',
    (by) => {
      const text = file('key: k\npaths: [a]');
      const result = compile(text, { rules: { ignoresCaches: by } });
      const on = compile(text);
      if (result.kind !== 'planned' || on.kind !== 'planned') throw new Error('Neither may fail');
      expect(result.trace).toContainEqual(expect.objectContaining({ rule: 'cache.off', values: { by } }));
      const without = on.plan.workflows.map((workflow) => ({
        ...workflow,
        steps: workflow.steps.map((step) => ({ ...step, cache: undefined })),
      }));
      expect(result.plan.workflows).toEqual(without);
    },
  );

  it('warns at its line of a file that the commit does not have', () => {
    const result = compile(file('key: k-{{ checksum "none" }}\npaths: [a]'), { blobs: {} });
    expect(result.trace).toContainEqual(
      expect.objectContaining({ rule: 'file.warning', values: expect.objectContaining({ line: 7 }) }),
    );
  });

  it.each([
    ['no key', 'paths: [a]', [['cache.key', 7]]],
    ['no paths', 'key: k', [['cache.path', 7]]],
    ['a key of something else', 'key: "{{ arch }}"\npaths: [a]', [['cache.key', 7]]],
    ['a beginning that no key has', 'key: k\nrestore: ["{{ x }}"]\npaths: [a]', [['cache.key', 8]]],
    ['an unknown word', 'key: k\npaths: [a]\nuntil: x', [['key.unknown', 9]]],
    ['a way out', 'key: k\npaths:\n- a\n- ../b', [['cache.path', 10]]],
    ['the workspace', 'key: k\npaths: [.]', [['cache.path', 8]]],
    ['what is above it', 'key: k\npaths: [/drone]', [['cache.path', 8]]],
    ['the repository', 'key: k\npaths: [.git/lfs]', [['cache.path', 8]]],
    ['a folder of the system', 'key: k\npaths: [/etc/x]', [['cache.path', 8]]],
    ['a home folder by its sign', 'key: k\npaths: ["~/.npm"]', [['cache.path', 8]]],
    ['one path in the other', 'key: k\npaths: [a, a/b]', [['cache.path', 8]]],
    ['a map as its key', 'key: {a: b}\npaths: [a]', [['value.type', 7]]],
  ])('refuses %s at its line', (_what, cache, expected) => {
    expect(findings(cache)).toEqual(expected);
  });

  it('refuses a path where the step has a volume', () => {
    expect(
      findings('key: k\npaths: [/data/x]', '  volumes: [{name: v, path: /data}]\nvolumes: [{name: v, temp: {}}]\n'),
    ).toEqual([['cache.path', 7]]);
  });

  it('has no effect on what runs beside the steps, which is said', () => {
    expect(findings('key: k\npaths: [a]', '  detach: true\n')).toEqual([['key.no-effect', 6]]);
  });

  it('is no key of a file of Drone', () => {
    const text = `type: docker\n${file('key: k\npaths: [a]')}`;
    const found = lintPipelineFile('.drone.yml', text).findings.map(({ code }) => code);
    expect(found).toContain('key.unknown');
  });
});
