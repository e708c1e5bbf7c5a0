import { describe, expect, it } from 'vitest';
import { fc } from '../../../test/support/properties.ts';
import type { LogChunk } from '../../drivers/logs/logs.ts';
import { MaskSet } from '../../engine/masking/masker.ts';
import { ChunkMasker } from './chunk-masker.ts';

const secret = 'correct-horse';
const masks = new MaskSet([secret]);

function chunks(texts: readonly string[], stream: LogChunk['stream'] = 'stdout'): LogChunk[] {
  return texts.map((text, i) => ({ sequence: i + 1, stream, atMs: i, bytes: Buffer.from(text) }));
}

function maskAll(given: readonly LogChunk[], masker = new ChunkMasker(masks)): readonly LogChunk[] {
  return [...given.flatMap((chunk) => masker.write(chunk)), ...masker.end()];
}

const textOf = (masked: readonly LogChunk[]): string => Buffer.concat(masked.map(({ bytes }) => bytes)).toString();
const textsOf = (masked: readonly LogChunk[]): string[] => masked.map(({ bytes }) => bytes.toString());

describe('ChunkMasker', () => {
  it('leaves chunks alone in which there is nothing to mask', () => {
    const given = chunks(['one\n', 'two\n', '', 'password: ******\n']);
    expect(maskAll(given)).toEqual(given);
  });

  it('masks a secret within a chunk and one that is cut by borders', () => {
    expect(textsOf(maskAll(chunks([`a ${secret} b\n`, 'and corre', 'ct-hor', 'se c\n', 'd\n'])))).toEqual([
      'a ****** b\n',
      'and ******',
      '',
      ' c\n',
      'd\n',
    ]);
  });

  it('masks encoded forms and tokens that nobody named', () => {
    const base64 = Buffer.from(secret).toString('base64');
    const token = `ghp_${'a1B2'.repeat(9)}`;
    const text = textOf(
      maskAll(chunks([`x ${base64.slice(0, 9)}`, `${base64.slice(9)}\n${token.slice(0, 20)}`, `${token.slice(20)}\n`])),
    );
    expect(text).not.toContain('b3JyZWN0LWhvcn');
    expect(text).not.toContain(token.slice(0, 20));
    expect(text).not.toContain(token.slice(20));
  });

  it('holds a chunk that may end within a secret, and gives it back as it was when it does not', () => {
    const masker = new ChunkMasker(masks);
    const [first, second] = chunks(['a correct', ' answer\n']);
    expect(masker.write(first!)).toEqual([]);
    expect(masker.write(second!)).toEqual([first, second]);
  });

  it('gives back a held chunk at the end', () => {
    const given = chunks(['it is correct']);
    expect(maskAll(given)).toEqual(given);
  });

  it('takes a beginning for the secret when another stream goes on', () => {
    const [out, more] = chunks(['correct-h', 'orse\n']);
    const err: LogChunk = { sequence: 2, stream: 'stderr', atMs: 0, bytes: Buffer.from('warning\n') };
    expect(textsOf(maskAll([out!, err, { ...more!, sequence: 3 }]))).toEqual(['******', 'warning\n', 'orse\n']);
  });

  it('holds no more than a bounded number of chunks', () => {
    const long = 'x'.repeat(2_000);
    const masker = new ChunkMasker(new MaskSet([`${long}!`]));
    let held = 0;
    let most = 0;
    for (const chunk of chunks(Array.from({ length: 1_000 }, () => 'x'))) {
      held += 1 - masker.write(chunk).length;
      most = Math.max(most, held);
    }
    expect(most).toBeLessThanOrEqual(256);
  });

  it('keeps numbers and order, and shows no secret, wherever the borders are', () => {
    const piece = fc.constantFrom(secret, 'correct', 'co', 'horse', '-', ' ', '\n', 'word', '******');
    const cuts = fc.array(fc.nat(40), { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), cuts, (pieces, at) => {
        const text = pieces.join('');
        const borders = [0, ...at.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
        const given = chunks(borders.slice(1).map((end, i) => text.slice(borders[i], end)));
        const masked = maskAll(given);
        expect(masked.map(({ sequence }) => sequence)).toEqual(given.map(({ sequence }) => sequence));
        expect(textOf(masked)).not.toContain(secret);
        if (!text.includes(secret)) expect(masked).toEqual(given);
      }),
      { numRuns: 2_000 },
    );
  });
});
