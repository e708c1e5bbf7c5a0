import { describe, expect, it } from 'vitest';
import { fc } from '../../../test/support/properties.ts';
import { isTooShortToMask } from './mask-needles.ts';
import { MaskSet, StreamMasker } from './masker.ts';

function maskedIn(set: MaskSet, pieces: readonly Buffer[], isReleasing = false): string {
  const masker = new StreamMasker(set);
  const out = pieces.flatMap((piece) => [...masker.write(piece), ...(isReleasing ? masker.release() : [])]);
  return Buffer.concat([...out, ...masker.end()]).toString('latin1');
}

const whole = (set: MaskSet, text: string | Buffer): string => maskedIn(set, [Buffer.from(text)]);

/** Whether any part of `length` characters of the secret shows. */
function shows(output: string, secret: string, length: number): boolean {
  for (let at = 0; at + length <= secret.length; at += 1)
    if (output.includes(secret.slice(at, at + length))) return true;
  return false;
}

/** Written as those do it who print secrets by accident, not as the masker does. */
function encodingsOf(value: string): [string, string | Buffer][] {
  const wide = Buffer.from(value, 'utf16le');
  const json = JSON.stringify(value).slice(1, -1);
  const url = encodeURIComponent(value);
  const base64 = (shift: number, bytes: Buffer = Buffer.from(value)): string =>
    Buffer.concat([Buffer.alloc(shift, 0x41), bytes, Buffer.alloc(4, 0x41)]).toString('base64');
  const urlSafe = (digits: string): string => digits.replaceAll('+', '-').replaceAll('/', '_');
  const xml = value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

  return [
    ['as it is', value],
    ['in quotes', `"${value}"`],
    ['with blanks around it', `  ${value}  `],
    ['in a query', `?token=${value}&x=1`],
    ['as JSON', json],
    ['as JSON within JSON', JSON.stringify(json).slice(1, -1)],
    ['as JSON by Go', json.replaceAll('<', '\\u003c').replaceAll('>', '\\u003e').replaceAll('&', '\\u0026')],
    ['as JSON by PHP', json.replaceAll('/', '\\/')],
    ['URL-encoded by a browser', url],
    ['URL-encoded in lower case', url.replace(/%../g, (escape) => escape.toLowerCase())],
    ['URL-encoded as a form', new URLSearchParams({ v: value.replaceAll('~', '') }).toString().slice(2)],
    ['URL-encoded with + for a blank', url.replaceAll('%20', '+')],
    ['URL-encoded by the RFC', url.replace(/[!']/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)],
    [
      'URL-encoded by the RFC in lower case',
      url.replace(/[!']/g, (c) => `%${c.charCodeAt(0).toString(16)}`).replace(/%../g, (e) => e.toLowerCase()),
    ],
    ['as XML text', xml],
    ['as an XML attribute', xml.replaceAll('"', '&quot;')],
    ['as an XML attribute with &apos;', xml.replaceAll('"', '&quot;').replaceAll("'", '&apos;')],
    ['as HTML with &#39;', xml.replaceAll('"', '&quot;').replaceAll("'", '&#39;')],
    ['as HTML with &#34;', xml.replaceAll('"', '&#34;').replaceAll("'", '&#39;')],
    ['as HTML with &#x27;', xml.replaceAll('"', '&quot;').replaceAll("'", '&#x27;')],
    ['in single quotes of the shell', `'${value.replaceAll("'", `'\\''`)}'`],
    ['in mixed quotes of the shell', `'${value.replaceAll("'", `'"'"'`)}'`],
    ['in double quotes of the shell', `"${value.replace(/["\\$`]/g, '\\$&')}"`],
    ['as a C string', value.replace(/["\\]/g, '\\$&')],
    ['as a C string in single quotes', value.replace(/['\\]/g, '\\$&')],
    ['with both quotes escaped', value.replace(/['"\\]/g, '\\$&')],
    ['base64 at shift 0', base64(0)],
    ['base64 at shift 1', base64(1)],
    ['base64 at shift 2', base64(2)],
    ['base64url at shift 0', urlSafe(base64(0))],
    ['base64url at shift 1', urlSafe(base64(1))],
    ['base64url at shift 2', urlSafe(base64(2))],
    ['as basic authentication', Buffer.from(`ada:${value}`).toString('base64')],
    ['as basic authentication of a longer name', Buffer.from(`robot:${value}`).toString('base64')],
    ['as hex', Buffer.from(value).toString('hex')],
    ['as hex in upper case', Buffer.from(value).toString('hex').toUpperCase()],
    ['as UTF-16LE', wide],
    ['as UTF-16BE', Buffer.from(wide).swap16()],
    ['as UTF-16LE in base64', base64(0, wide)],
    ['as UTF-16LE in base64 at shift 1', base64(1, wide)],
    ['as UTF-16LE in base64 at shift 2', base64(2, wide)],
  ];
}

describe('StreamMasker', () => {
  const value = `Zx9!k"q'W/e <r>&t\\y$u=+%i{o}p~`;
  const encodings = encodingsOf(value);

  it(`knows at least 40 encodings`, () => {
    expect(encodings.length).toBeGreaterThanOrEqual(40);
  });

  it.each(encodings)('masks a secret %s, cut at every byte, with and without a pause there', (what, encoded) => {
    const set = new MaskSet([what === 'URL-encoded as a form' ? value.replaceAll('~', '') : value]);
    const bytes = Buffer.concat([Buffer.from('before '), Buffer.from(encoded), Buffer.from(' after\n')]);
    const plain = Buffer.from(encoded).toString('latin1');
    const expected = maskedIn(set, [bytes]);
    expect(expected).toMatch(/^before .{0,9}\*{6}.{0,9} after\n$/s);
    expect(shows(expected, plain, 9)).toBe(false);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(maskedIn(set, [bytes.subarray(0, cut), bytes.subarray(cut)])).toBe(expected);
      expect(shows(maskedIn(set, [bytes.subarray(0, cut), bytes.subarray(cut)], true), plain, 13)).toBe(false);
    }
    const single = [...bytes].map((byte) => Buffer.of(byte));
    expect(maskedIn(set, single)).toBe(expected);
    // With a pause after each byte at most three of its bytes show.
    expect(shows(maskedIn(set, single, true), plain, 13)).toBe(false);
  });

  const key = `-----BEGIN KEY-----\nAb/c+Def "Gh" 12345678\n\nIj<kl>&Mn'Op90$\n-----END KEY-----`;
  const ofLines = encodingsOf(key).filter(([what]) => what !== 'URL-encoded as a form');

  it.each(ofLines)('masks a secret of several lines %s, cut at every byte', (_what, encoded) => {
    const set = new MaskSet([key]);
    const bytes = Buffer.concat([Buffer.from('before '), Buffer.from(encoded), Buffer.from(' after\n')]);
    const plain = Buffer.from(encoded).toString('latin1');
    const expected = maskedIn(set, [bytes]);
    expect(expected).toContain('******');
    expect(shows(expected, plain, 9)).toBe(false);
    for (let cut = 0; cut <= bytes.length; cut += 1)
      expect(maskedIn(set, [bytes.subarray(0, cut), bytes.subarray(cut)])).toBe(expected);
  });

  it('masks a secret in each of two streams whose pieces come in turn', () => {
    const set = new MaskSet([value]);
    const masked = ['stdout', 'stderr'].map(() => ({ masker: new StreamMasker(set), out: [] as Buffer[] }));
    for (const byte of Buffer.from(`to ${value} from ${value}\n`))
      for (const { masker, out } of masked) out.push(...masker.write(Buffer.of(byte)));
    for (const { masker, out } of masked)
      expect(Buffer.concat([...out, ...masker.end()]).toString()).toBe('to ****** from ******\n');
  });

  it('masks each line of a secret of several, and the whole of it', () => {
    const key = '-----BEGIN KEY-----\nAbCdEfGh12345678\r\n  IjKlMnOp90 \nxyz\n-----END KEY-----\n';
    const set = new MaskSet([key]);
    expect(whole(set, key)).toBe('******');
    expect(whole(set, 'a AbCdEfGh12345678 b\nIjKlMnOp90!')).toBe('a ****** b\n******!');
    expect(whole(set, 'xyz')).toBe('xyz');
    expect(whole(set, key.replaceAll(/\r?\n/g, '\r\n').trimEnd())).not.toMatch(/BEGIN|AbCd/);
  });

  it('masks the password of a pair and of an address by itself', () => {
    expect(whole(new MaskSet(['ada:hunter22']), 'x hunter22 y')).toBe('x ****** y');
    expect(whole(new MaskSet(['https://ada:hunter22@example.com/x.git']), 'x hunter22 y')).toBe('x ****** y');
  });

  it('masks overlapping secrets as one, the longest first', () => {
    const set = new MaskSet(['secret', 'secret-value', 'value-and-more', 'cret-va']);
    expect(whole(set, 'a secret b')).toBe('a ****** b');
    expect(whole(set, 'a secret-value b')).toBe('a ****** b');
    expect(whole(set, 'a secret-value-and-more b')).toBe('a ****** b');
    expect(whole(set, 'a secret-valuX b')).toBe('a ******luX b');
    expect(whole(set, 'secretsecret')).toBe('************');
  });

  it('masks tokens by their beginning, and leaves words alone that only look like one', () => {
    const set = new MaskSet([]);
    expect(whole(set, `a gty_usr_${'k'.repeat(43)}_abc123 b`)).toBe('a ****** b');
    expect(whole(set, `ghp_${'A1b2'.repeat(9)}\n`)).toBe('******\n');
    expect(whole(set, 'AKIAIOSFODNN7EXAMPLE!')).toBe('******!');
    expect(whole(set, 'npm_config_user_agent gty_… npm_lifecycle_script ghp_short')).toBe(
      Buffer.from('npm_config_user_agent gty_… npm_lifecycle_script ghp_short').toString('latin1'),
    );
  });

  it('leaves everything else as it is, byte for byte', () => {
    const set = new MaskSet(['correct horse', 'battery', 'st']);
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (pieces) => {
        const buffers = pieces.map((piece) => Buffer.from(piece));
        expect(maskedIn(set, buffers)).toBe(Buffer.concat(buffers).toString('latin1'));
      }),
    );
  });

  it('finds what a search without state finds, wherever the stream is cut', () => {
    const letter = fc.constantFrom('a', 'b', 'c');
    const needle = fc.string({ unit: letter, minLength: 4, maxLength: 7 });
    const piece = fc.string({ unit: letter, maxLength: 12 });
    fc.assert(
      fc.property(
        fc.array(needle, { minLength: 1, maxLength: 4 }),
        fc.array(piece, { maxLength: 12 }),
        (needles, pieces) => {
          const set = new MaskSet(needles);
          const masked = maskedIn(
            set,
            pieces.map((text) => Buffer.from(text)),
          );
          expect(masked).toBe(searched(needles, pieces.join('')));
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('shows no telling part of a secret, whatever pauses come between its bytes', () => {
    const needles = ['abcabcab', 'cabbage', 'bbbbb'];
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'g', 'e'), maxLength: 9 }), fc.boolean()), {
          maxLength: 12,
        }),
        (steps) => {
          const masker = new StreamMasker(new MaskSet(needles));
          const out = steps.flatMap(([text, hasPause]) => [
            ...masker.write(Buffer.from(text)),
            ...(hasPause ? masker.release() : []),
          ]);
          const output = Buffer.concat([...out, ...masker.end()]).toString();
          for (const needle of needles) expect(output).not.toContain(needle);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('holds back only what may be a secret, and lets go of short beginnings after a pause', () => {
    const masker = new StreamMasker(new MaskSet(['correct horse']));
    expect(Buffer.concat(masker.write(Buffer.from('Enter c'))).toString()).toBe('Enter ');
    expect(masker.heldBytes).toBe(1);
    expect(Buffer.concat(masker.release()).toString()).toBe('c');
    expect(Buffer.concat(masker.write(Buffer.from('orrect ho'))).toString()).toBe('');
    expect(Buffer.concat(masker.release()).toString()).toBe('');
    expect(Buffer.concat(masker.write(Buffer.from('rse!\n'))).toString()).toBe('******!\n');
  });

  it('stays small however long a run of secrets and tokens is', () => {
    const masker = new StreamMasker(new MaskSet(['aaaaaaaa']));
    let shown = 0;
    const block = Buffer.alloc(65_536, 'a');
    for (let round = 0; round < 200; round += 1) {
      for (const piece of masker.write(block)) shown += piece.length;
      expect(masker.heldBytes).toBeLessThan(64);
    }
    masker.write(Buffer.from('gty_'));
    for (let round = 0; round < 200; round += 1) {
      for (const piece of masker.write(block)) shown += piece.length;
      expect(masker.heldBytes).toBeLessThan(64);
    }
    expect(shown).toBeLessThan(100);
  });

  it('says which values are too short to be masked', () => {
    expect(isTooShortToMask(' abc\n')).toBe(true);
    expect(isTooShortToMask('abcd')).toBe(false);
    expect(isTooShortToMask('密码')).toBe(false);
    expect(whole(new MaskSet(['abc', '']), 'abc')).toBe('abc');
  });

  it('masks whole texts', () => {
    expect(new MaskSet(['hunter22']).maskText('Cannot log in as ada:hunter22')).toBe('Cannot log in as ada:******');
  });
});

/** The same rule, by trying every place: overlapping finds are one. */
function searched(needles: readonly string[], text: string): string {
  const isSecret = Array.from(text, () => false);
  const joins = Array.from(text, () => false);
  for (const needle of needles) {
    for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + 1)) {
      for (let i = 0; i < needle.length; i += 1) {
        isSecret[at + i] = true;
        if (i > 0) joins[at + i] = true;
      }
    }
  }
  let out = '';
  for (let at = 0; at < text.length; at += 1) {
    if (!isSecret[at]) out += text[at];
    else if (!joins[at]) out += '******';
  }
  return out;
}
