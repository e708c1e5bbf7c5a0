import { describe, expect, it } from 'vitest';
import { languageOf } from './language.ts';

describe('languageOf', () => {
  it.each([
    [undefined, 'en'],
    ['', 'en'],
    ['zh', 'zh'],
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh'],
    ['en-GB,en;q=0.9,zh;q=0.8', 'en'],
    ['zh;q=0.5, en;q=0.7', 'en'],
    ['de, zh-Hant;q=0.3', 'zh'],
    ['de,fr', 'en'],
    ['zhx', 'en'],
    ['zh;q=0', 'en'],
    ['*', 'en'],
    ['zh;q=nonsense', 'zh'],
    [`${','.repeat(10_000)}zh`, 'en'],
  ])('of %j is %s', (header, language) => {
    expect(languageOf(header)).toBe(language);
  });
});
