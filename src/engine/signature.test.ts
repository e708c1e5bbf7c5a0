import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkSignature, signatureOf, withSignature } from './signature.ts';

const key = 'k'.repeat(32);
const first = 'kind: pipeline\nname: one\n\nsteps: []\n';
const second = 'kind: pipeline\nname: two\n';

describe('the signature of a pipeline file', () => {
  it('is the HMAC over the lines of its documents, without what stands between them', () => {
    const expected = createHmac('sha256', key).update(first).update(second).digest('hex');
    expect(signatureOf(`---\n${first}---\n${second}`, key)).toBe(expected);
    expect(signatureOf(`---\n${first}---\n${second.trimEnd()}`, key)).toBe(expected);
  });

  it('stays the same when it is written into the file, and is found there', () => {
    const file = `---\n${first}---\n${second}`;
    const signed = withSignature(file, signatureOf(file, key));
    expect(signatureOf(signed, key)).toBe(signatureOf(file, key));
    expect(checkSignature(signed, key)).toBe('valid');
    expect(withSignature(signed, signatureOf(signed, key))).toBe(signed);
  });

  it('is wrong for another text, another key, no key, and when there are two', () => {
    const file = `---\n${first}`;
    const signed = withSignature(file, signatureOf(file, key));
    expect(checkSignature(signed.replace('one', 'two'), key)).toBe('wrong');
    expect(checkSignature(signed, 'x'.repeat(32))).toBe('wrong');
    expect(checkSignature(signed, undefined)).toBe('wrong');
    expect(checkSignature(`${signed.replace('...\n', '')}---\nkind: signature\nhmac: ${'0'.repeat(64)}\n`, key)).toBe(
      'wrong',
    );
    expect(checkSignature(`---\n${first}---\nkind: signature\nhmac: none\n`, key)).toBe('wrong');
    expect(checkSignature(file, key)).toBe('missing');
  });

  it('needs a key of 32 bytes', () => {
    expect(() => signatureOf(first, 'short')).toThrow('less than 32 bytes');
  });
});
