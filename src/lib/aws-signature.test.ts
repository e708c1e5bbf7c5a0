import { describe, expect, it } from 'vitest';
import { signedHeaders } from './aws-signature.ts';

/** The keys and the moment of the test suite that AWS has published for Signature Version 4. */
const keys = { accessKey: 'AKIDEXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const suite = {
  region: 'us-east-1',
  service: 'service',
  at: new Date('2015-08-30T12:36:00Z'),
  headers: {},
  body: '',
} as const;
const url = (path: string): URL => new URL(`https://example.amazonaws.com${path}`);

describe('signedHeaders', () => {
  it.each([
    [
      'get-vanilla',
      { method: 'GET', url: url('/') },
      '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    ],
    [
      'post-vanilla',
      { method: 'POST', url: url('/') },
      '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
    ],
    [
      'get-vanilla-query-order-key-case',
      { method: 'GET', url: url('/?Param2=value2&Param1=value1') },
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
    [
      'post-x-www-form-urlencoded',
      {
        method: 'POST',
        url: url('/'),
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: 'Param1=value1',
      },
      'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
    ],
  ] as const)('signs as the published test %s does', (_name, request, signature) => {
    const { authorization } = signedHeaders({ ...suite, ...request }, keys);
    expect(authorization).toContain(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=',
    );
    expect(authorization).toContain(`Signature=${signature}`);
  });

  it('signs the request of the documentation of IAM', () => {
    const headers = signedHeaders(
      {
        ...suite,
        method: 'GET',
        url: new URL('https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08'),
        service: 'iam',
        headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
      },
      keys,
    );
    expect(headers['authorization']).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    );
  });

  it('signs the token of keys that are lent', () => {
    const headers = signedHeaders({ ...suite, method: 'GET', url: url('/') }, { ...keys, sessionToken: 'lent' });
    expect(headers).toMatchObject({ 'x-amz-security-token': 'lent', 'x-amz-date': '20150830T123600Z' });
    expect(headers['authorization']).toContain('SignedHeaders=host;x-amz-date;x-amz-security-token,');
  });
});
