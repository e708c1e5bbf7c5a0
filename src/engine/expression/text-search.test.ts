import { describe, expect, it } from 'vitest';
import { fc } from '../../../test/support/properties.ts';
import { TextSearch } from './text-search.ts';

describe('TextSearch', () => {
  it('finds what indexOf finds, in short texts and in long ones', () => {
    const piece = fc.constantFrom('a', 'b', 'ab', 'aab', 'abaab', 'é');
    const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(text, text, fc.nat(50), fc.boolean(), (whole, part, from, isLong) => {
        // Long enough that it is not handed to indexOf.
        const searched = isLong ? 'ab'.repeat(40_000) + whole : whole;
        const start = isLong ? 79_990 + from : from;
        fc.pre(start <= searched.length);
        expect(new TextSearch(part).find(searched, start)).toBe(searched.indexOf(part, start));
      }),
    );
  });

  it('takes long parts of one letter but for the middle in its stride', () => {
    const half = 'a'.repeat(250_000);
    // With a time of text × part this would be minutes.
    expect(new TextSearch(`${half}b${half}`).find('a'.repeat(1_000_000), 0)).toBe(-1);
    expect(new TextSearch(`${half}b${half}`).find(`aa${half}b${half}a`, 0)).toBe(2);
  });
});
