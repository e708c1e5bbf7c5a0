import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { javaTrustStore, readCertificates } from './java-trust-store.ts';

const pem = readFileSync(new URL('../../test/support/example-ca.pem', import.meta.url), 'utf8');

describe('readCertificates', () => {
  it('takes each certificate once, and leaves out what is none', () => {
    const broken = '-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n';
    expect(readCertificates(`# authorities\n${pem}${broken}${pem}`).map(({ subject }) => subject)).toEqual([
      'CN=Example Test CA',
    ]);
    expect(readCertificates('no certificate')).toEqual([]);
  });
});

describe('javaTrustStore', () => {
  it('holds the certificates as trusted, under names of their own', () => {
    const certificates = readCertificates(pem);
    const store = javaTrustStore(certificates);
    expect(store.subarray(0, 4).toString('hex')).toBe('feedfeed');
    expect(store.readUInt32BE(8)).toBe(1);
    expect(store.readUInt32BE(12)).toBe(2);
    expect(store.includes(certificates[0]!.raw)).toBe(true);
    expect(javaTrustStore(certificates)).toEqual(store);
  });
});
