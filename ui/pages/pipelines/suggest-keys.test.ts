import { describe, expect, it } from 'vitest';
import { gantrySchema } from '../../../src/engine/gantry-schema.ts';
import { type EditorSchema, suggestAt } from './suggest-keys.ts';

const schema = gantrySchema() as EditorSchema;

/** What is suggested where "¦" stands. */
const at = (text: string) => suggestAt(schema, text.replace('¦', ''), text.indexOf('¦'));
const labels = (text: string) => at(text)?.items.map(({ label }) => label) ?? [];

const step = 'kind: pipeline\nsteps:\n  - name: test\n';

describe('suggestAt', () => {
  it('names the keys of a document that it does not have yet', () => {
    expect(labels('¦')).toContain('kind');
    expect(labels('kind: pipeline\n¦')).toEqual(expect.arrayContaining(['name', 'steps', 'trigger', 'matrix']));
    expect(labels('kind: pipeline\n¦')).not.toContain('kind');
    expect(labels('¦\nsteps: []\n')).not.toContain('steps');
    expect(labels('kind: pipeline\nsteps: []\n---\n¦')).toContain('steps');
  });

  it.each([
    ['on the line of the dash', 'steps:\n  - ¦'],
    ['below the first key of an item', `${step}    ¦`],
    ['in a list as far left as its key', 'steps:\n- name: test\n  ¦'],
    ['behind an item before', `${step}    commands:\n      - make\n  - ¦`],
    ['behind a comment and an empty line', `${step}    # why\n\n    ¦`],
  ])('names the keys of a step %s', (_, text) => {
    expect(labels(text)).toEqual(expect.arrayContaining(['image', 'commands', 'when']));
    expect(labels(text)).not.toContain('steps');
  });

  it('leaves out what the step has, above and below', () => {
    expect(labels(`${step}    ¦\n    image: x\n  - name: other\n    commands: [a]\n`)).toContain('commands');
    expect(labels(`${step}    ¦\n    image: x\n`)).not.toContain('image');
    expect(labels(`${step}    ¦\n`)).not.toContain('name');
  });

  it('follows references into deeper maps', () => {
    expect(labels(`${step}    when:\n      ¦`)).toEqual(expect.arrayContaining(['event', 'branch', 'paths']));
    expect(labels(`${step}    when:\n      branch:\n        ¦`)).toEqual(['include', 'exclude']);
    expect(labels('trigger:\n  ¦')).toContain('cron');
    expect(labels('parameters:\n  TARGET:\n    ¦')).toContain('default');
  });

  it('keeps what fits the typed letters, what begins with them first', () => {
    expect(labels(`${step}    ima¦`)).toEqual(['image']);
    expect(labels(`${step}    com¦`).slice(0, 2)).toEqual(expect.arrayContaining(['commands', 'command']));
    expect(labels(`${step}    xyzzy¦`)).toEqual([]);
  });

  it('begins a list, a map and a text as they are written', () => {
    const insert = (text: string) => at(text)?.items[0]?.insert;
    expect(insert(`${step}    commands¦`)).toBe('commands:\n      - ');
    expect(insert(`${step}    environ¦`)).toBe('environment:\n      ');
    expect(insert(`${step}    image¦`)).toBe('image: ');
    expect(insert('step¦')).toBe('steps:\n  - ');
  });

  it('names the values of a key that takes only some', () => {
    expect(labels('kind: ¦')).toEqual(['pipeline', 'include', 'secret']);
    expect(labels(`${step}    pull: ¦`)).toEqual(expect.arrayContaining(['always', 'never']));
    expect(labels(`${step}    privileged: t¦`)).toEqual(['true']);
    expect(labels(`${step}    image: b¦`)).toEqual([]);
  });

  it.each([
    ['a comment', '# ki¦'],
    ['a flow map', 'trigger: {ev¦'],
    ['quotes', 'name: "ki¦'],
    ['the middle of a line', 'ki¦nd: pipeline'],
    ['a script', 'steps:\n  - name: a\n    commands:\n      - |\n        ima¦'],
    ['a key that the file may not have', 'nothing:\n  ¦'],
  ])('says nothing in %s', (_, text) => {
    expect(labels(text)).toEqual([]);
  });

  it('takes a long text in a moment', () => {
    const text = `steps:\n${'  - name: a\n    image: b\n    commands: [c]\n'.repeat(3_000)}    ¦`;
    const startMs = performance.now();
    expect(labels(text)).toContain('when');
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });
});
