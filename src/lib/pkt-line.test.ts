import { describe, expect, it } from 'vitest';
import { fc } from '../../test/support/properties.ts';
import { flushPkt, maxPktPayloadBytes, pktLine, readPktLine, readPktLines, sideBand } from './pkt-line.ts';

describe('pktLine', () => {
  it('counts its own length, as in the examples of gitprotocol-common', () => {
    expect(pktLine('a\n').toString()).toBe('0006a\n');
    expect(pktLine('foobar\n').toString()).toBe('000bfoobar\n');
    expect(pktLine('').toString()).toBe('0004');
  });

  it('refuses more than one line can carry', () => {
    expect(() => pktLine(Buffer.alloc(maxPktPayloadBytes + 1))).toThrow(RangeError);
  });
});

describe('readPktLine', () => {
  it('gives back what was framed, and asks for more while any byte is missing', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 8 }), (payloads) => {
        const bytes = Buffer.concat([...payloads.map((payload) => pktLine(payload)), flushPkt]);
        const lines = readPktLines(bytes);
        expect(lines.map((line) => (line.kind === 'data' ? [...line.payload] : line.kind))).toEqual([
          ...payloads.map((payload) => [...payload]),
          'flush',
        ]);
        const first = pktLine(payloads[0]!);
        for (let cut = 0; cut < first.length; cut += 1) expect(readPktLine(first.subarray(0, cut))).toBeUndefined();
      }),
    );
  });

  it.each(['0003', 'fff5', 'zzzz', '00 6', '-001', 'x'])('throws on the length %j', (digits) => {
    expect(() => readPktLine(Buffer.from(`${digits}aaaa`))).toThrow(SyntaxError);
  });

  it('never fails in another way, whatever it is given', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          readPktLines(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('sideBand', () => {
  it('cuts what does not fit in one line', () => {
    const bytes = sideBand(2, Buffer.alloc(maxPktPayloadBytes * 2, 7));
    const lines = readPktLines(bytes);
    expect(lines).toHaveLength(3);
    expect(lines.every((line) => line.kind === 'data' && line.payload[0] === 2)).toBe(true);
  });
});
