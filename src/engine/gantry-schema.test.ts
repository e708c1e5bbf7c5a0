import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { type GantryPlace, gantryKeys, keysAt } from './gantry-keys.ts';
import { gantryKeysZh } from './gantry-keys.zh.ts';
import { gantrySchema } from './gantry-schema.ts';
import { unsupportedKeys } from './known-keys.ts';
import { lintPipelineFile } from './lint.ts';

const schema = z.fromJSONSchema(gantrySchema() as Parameters<typeof z.fromJSONSchema>[0]);
const root = join(import.meta.dirname, '../..');

/** The documents of a file, as an editor reads them; `undefined` where its raw text is no YAML. */
function documentsOf(text: string): readonly unknown[] | undefined {
  const documents = parseAllDocuments(text, { merge: true, uniqueKeys: false });
  if (!Array.isArray(documents) || documents.some(({ errors }) => errors.length > 0)) return undefined;
  return documents
    .map((document) => document.toJS() as unknown)
    .filter((value) => value !== null && !isSignature(value));
}

/** It is Drone's, has no effect here, and lint says so: the schema is of pipelines. */
function isSignature(value: unknown): boolean {
  return typeof value === 'object' && (value as { kind?: unknown }).kind === 'signature';
}

/** The `.gantry.yml` of all scenarios and examples that would run. */
function validFiles(): readonly { readonly name: string; readonly text: string }[] {
  const folder = join(root, 'test/conformance/pipelines');
  const scenarios = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => {
      const { files } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { files: Record<string, string[]> };
      return Object.entries(files).map(([path, lines]) => ({ name, path, text: lines.join('\n') }));
    });
  const examples = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.gantry.yml'))
    .map((path) => ({ name: path, path: '.gantry.yml', text: readFileSync(join(root, 'examples', path), 'utf8') }));
  return [...scenarios, ...examples].filter(
    ({ path, text }) => path === '.gantry.yml' && lintPipelineFile(path, text).isValid,
  );
}

/** A document with a key at a place. */
function documentWith(place: GantryPlace, name: string, value: unknown): Record<string, unknown> {
  const step = { name: 's', image: 'x', commands: ['ls'] };
  const base = { kind: 'pipeline', steps: [step] };
  const added = { [name]: value };
  switch (place) {
    case 'pipeline':
      return { ...base, ...added };
    case 'secretDocument':
      return { kind: 'secret', name: 'a', data: 'AAAA', ...added };
    case 'includeDocument':
      return { include: 'a.yml', ...added };
    case 'include':
      return { include: { file: 'a.yml', ...added } };
    case 'step':
      return { ...base, steps: [{ ...step, ...added }] };
    case 'conditions':
      return { ...base, trigger: added };
    case 'constraint':
      return { ...base, trigger: { branch: { include: ['a'], ...added } } };
    case 'parameter':
      return { ...base, parameters: { A: added } };
    case 'matrix':
      return { ...base, matrix: { A: [1], ...added } };
    case 'workspace':
    case 'concurrency':
    case 'clone':
      return { ...base, [place]: added };
    case 'volume':
      return { ...base, volumes: [{ name: 'v', temp: {}, ...added }] };
    case 'host':
      return { ...base, volumes: [{ name: 'v', host: { path: '/srv', ...added } }] };
    case 'platform':
      return { ...base, platform: added };
    case 'temp':
      return { ...base, volumes: [{ name: 'v', temp: { medium: 'memory', ...added } }] };
    case 'retry':
      return { ...base, retry: { infra: 2, ...added } };
    case 'reuse':
      return { ...base, steps: [{ ...step, reuse: { inputs: ['src'], ...added } }] };
    case 'artifact':
      return { ...base, steps: [{ ...step, artifacts: [{ name: 'a', paths: ['p'], ...added }] }] };
    case 'use':
      return { ...base, use: [{ name: 'a', ...added }] };
    case 'build':
      return { ...base, steps: [{ name: 's', build: { image: 'r.example/a', ...added } }] };
    case 'cache':
      return { ...base, steps: [{ ...step, cache: { key: 'k', paths: ['p'], ...added } }] };
    case 'resources':
      return { ...base, steps: [{ ...step, resources: added }] };
    case 'limits':
      return { ...base, steps: [{ ...step, resources: { limits: added } }] };
    case 'mount':
      return {
        ...base,
        volumes: [{ name: 'v', temp: {} }],
        steps: [{ ...step, volumes: [{ name: 'v', path: '/v', ...added }] }],
      };
  }
}

/** Includes are read by lines: a key each. */
function textOf(document: Record<string, unknown>): string {
  const { include, ...others } = document;
  if (include === undefined) return JSON.stringify(document);
  const items = typeof include === 'object' && include !== null ? Object.entries(include) : [];
  const lines = items.map(([name, value]) => `  ${name}: ${value ?? ''}`);
  const head = typeof include === 'string' ? `include: ${include}` : 'include:';
  return [head, ...lines, ...Object.entries(others).map(([name, value]) => `${name}: ${String(value)}`)].join('\n');
}

const places = Object.keys(gantryKeys) as GantryPlace[];

/** All words that any dialect has for a key. */
const words = new Set([
  ...places.flatMap((place) => [...keysAt(place)]),
  ...Object.values(unsupportedKeys).flatMap(({ workflow, step }) => [...workflow, ...step]),
  'group',
  'secrets',
  'path',
  'evaluate',
  'local',
  'platform',
  'labels',
  'skip_clone',
  'runs_on',
  'host',
  'zzz',
]);

describe('the schema of .gantry.yml', () => {
  it('passes every file of the scenarios and examples that runs without a finding', () => {
    const files = validFiles();
    const read = files.flatMap(({ name, text }) => {
      const documents = documentsOf(text);
      return documents ? [{ name, documents }] : [];
    });
    expect(read.length).toBeGreaterThan(20);
    for (const { name, documents } of read)
      for (const document of documents) {
        const { success, error } = schema.safeParse(document);
        if (!success) console.log(name, error?.message);
        expect(success, `${name}: ${error?.message}`).toBe(true);
      }
  });

  it('describes every key in Chinese where that is asked for, and is the same else', () => {
    const withoutDescriptions = (value: object): string =>
      JSON.stringify(value, (name, part: unknown) => (name === 'description' && typeof part === 'string' ? '' : part));
    const chinese = gantrySchema('zh');
    expect(withoutDescriptions(chinese)).toBe(withoutDescriptions(gantrySchema()));
    for (const place of places)
      for (const key of keysAt(place)) {
        const text = (gantryKeysZh[place] as Readonly<Record<string, string>>)[key];
        // Some are codes and nothing else.
        if (/[a-z]/.test(text?.replaceAll(/`[^`]*`/g, '') ?? 'x'))
          expect(text, `${place}.${key}`).toMatch(/[\u4e00-\u9fff]/);
        expect(JSON.stringify(chinese)).toContain(JSON.stringify(text));
      }
  });

  // In a matrix every other key is an axis.
  it.each(places.filter((place) => place !== 'matrix'))(
    'knows at "%s" what the reader knows there, and nothing else',
    (place) => {
      for (const word of words) {
        const isKnown = keysAt(place).has(word);
        // An unsupported key without a value asks for nothing.
        const text = textOf(documentWith(place, word, isKnown ? null : 'x'));
        const { findings } = lintPipelineFile('.gantry.yml', text, undefined, [
          { name: 'a.yml', text: 'kind: pipeline\nsteps: [{name: s, image: x, commands: [ls]}]\n' },
        ]);
        const told = ['key.unknown', 'key.unsupported', ...(isKnown ? [] : ['key.no-effect'])];
        const isRefused = findings.some(
          ({ code, message }) =>
            told.includes(code) ||
            (code === 'include.failed' && (!isKnown || /^"[^"]+" (?:is nothing that|cannot stand in)/.test(message))),
        );
        expect([word, isRefused]).toEqual([word, !isKnown]);
        expect([word, word in gantryKeys[place]]).toEqual([word, isKnown]);
      }
      expect(schema.safeParse(documentWith(place, 'zzz', 'x')).success).toBe(false);
    },
  );

  it.each([
    ['a step without a name', { kind: 'pipeline', steps: [{ image: 'x' }] }],
    ['another kind of document', { kind: 'registry' }],
    ['an include that names no file', { include: { project: 'a/b', ref: 'v1' } }],
    ['a secret without a value', { kind: 'secret', name: 'a' }],
    ['a word that a key does not take', documentWith('step', 'failure', 'maybe')],
    ['a list where a map belongs', documentWith('step', 'environment', ['A=b'])],
    ['a map without from_secret as a variable', documentWith('step', 'environment', { A: { secret: 'b' } })],
    ['a negative depth', documentWith('clone', 'depth', -1)],
  ])('refuses %s', (_what, document) => {
    expect(schema.safeParse(document).success).toBe(false);
    expect(lintPipelineFile('.gantry.yml', JSON.stringify(document)).isValid).toBe(false);
  });
});
