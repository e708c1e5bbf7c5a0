import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { corpusFiles, corpusOf } from '../support/corpus.ts';

/** A feature that real files use (pipelines.md 17): by dialect the file of the corpus that has it, with its words there. */
interface Feature {
  readonly feature: string;
  readonly in: Readonly<Record<string, readonly [name: string, words: string]>>;
  /** Dialects that have no such thing, and why. */
  readonly not?: Readonly<Record<string, string>>;
}

const path = join(import.meta.dirname, '../corpus/features.json');
const features = JSON.parse(readFileSync(path, 'utf8')) as readonly Feature[];
const dialects = Object.keys(corpusFiles);
const corpus = new Map(dialects.flatMap(corpusOf).map((entry) => [entry.name, entry]));

describe('the features that real files use most', () => {
  it.each(features.map((each) => [each.feature, each] as const))('are in the corpus: %s', (_title, each) => {
    const missing = dialects.filter((dialect) => !each.in[dialect] && !each.not?.[dialect]);
    expect(missing, 'neither shown by a file nor absent from the dialect').toEqual([]);
    for (const [dialect, [name, words]] of Object.entries(each.in)) {
      const texts = Object.entries(corpus.get(`${dialect}/${name}`)?.files ?? {})
        .filter(([file]) => file.startsWith('.'))
        .map(([, text]) => text);
      expect(texts.join('\n'), `${dialect}/${name}`).toContain(words);
      expect(each.not?.[dialect]).toBeUndefined();
    }
  });

  it.each(dialects)('are shown by a dozen files of %s and more', (dialect) => {
    expect(corpusOf(dialect).length).toBeGreaterThanOrEqual(12);
  });
});
