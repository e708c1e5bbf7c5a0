import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { EcrRequest } from '../engine/ecr-request.ts';
import { systemClock } from '../lib/clock.ts';
import { askEcrLogin } from './ecr-login.ts';

interface Asked {
  readonly action: string;
  readonly authorization: string;
  readonly body: unknown;
}

let server: Server | undefined;
afterEach(() => server?.close());

/** A registry of AWS as it answers over the wire; `answers` by action. */
async function aws(answers: Readonly<Record<string, readonly [number, unknown]>>) {
  const asked: Asked[] = [];
  server = createServer((request, response) => {
    void bodyOf(request).then((text) => {
      const action = String(request.headers['x-amz-target']).replace(/^.*\./, '');
      asked.push({ action, authorization: String(request.headers.authorization), body: JSON.parse(text) as unknown });
      const [status, answer] = answers[action] ?? [404, {}];
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
      response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { asked, endpoint };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}

const request: EcrRequest = {
  region: 'eu-west-1',
  keys: { accessKey: 'AKID', secretKey: 'canary-of-the-key' },
  create: [],
  scansOnPush: false,
};
const login = {
  authorizationData: [
    {
      authorizationToken: Buffer.from('AWS:given:by-aws').toString('base64'),
      proxyEndpoint: 'https://123456789012.dkr.ecr.eu-west-1.amazonaws.com',
    },
  ],
};
const ask = (endpoint: string, change: Partial<EcrRequest> = {}) =>
  askEcrLogin({ ...request, ...change }, { endpoint, clock: systemClock, signal: new AbortController().signal });

describe('askEcrLogin', () => {
  it('gets the login of the registry that AWS names, with a signed request', async () => {
    const { asked, endpoint } = await aws({ GetAuthorizationToken: [200, login] });
    expect(await ask(endpoint)).toEqual({
      registry: '123456789012.dkr.ecr.eu-west-1.amazonaws.com',
      username: 'AWS',
      password: 'given:by-aws',
    });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ action: 'GetAuthorizationToken', body: {} });
    expect(asked[0]!.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-west-1\/ecr\/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=[0-9a-f]{64}$/,
    );
  });

  it('makes the repositories that are asked for, and takes those that are there', async () => {
    const { asked, endpoint } = await aws({
      GetAuthorizationToken: [200, login],
      CreateRepository: [400, { __type: 'com.amazonaws#RepositoryAlreadyExistsException', message: 'it is there' }],
    });
    expect(await ask(endpoint, { registry: 'r.example', create: ['shop/app'], scansOnPush: true })).toMatchObject({
      registry: 'r.example',
    });
    expect(asked[1]).toMatchObject({
      action: 'CreateRepository',
      body: { repositoryName: 'shop/app', imageScanningConfiguration: { scanOnPush: true } },
    });
  });

  it.each([
    ['the keys', { GetAuthorizationToken: [400, { __type: 'UnrecognizedClientException', message: 'no such key' }] }],
    [
      'the repository',
      {
        GetAuthorizationToken: [200, login],
        CreateRepository: [400, { __type: 'AccessDeniedException', message: 'no such key' }],
      },
    ],
  ] as const)('is refused with the words of AWS where it refuses %s', async (_what, answers) => {
    const { endpoint } = await aws(answers);
    await expect(ask(endpoint, { create: ['a'] })).rejects.toMatchObject({
      name: 'EcrRefusal',
      message: expect.stringMatching(/^Cannot .*Exception: no such key$/) as string,
    });
  });

  it.each([
    ['breaks', { GetAuthorizationToken: [503, 'later'] }],
    ['answers with nothing that is a login', { GetAuthorizationToken: [200, '<html>'] }],
    ['answers with too much', { GetAuthorizationToken: [200, 'x'.repeat(100_000)] }],
  ] as const)('judges nobody where AWS %s', async (_what, answers) => {
    const { endpoint } = await aws(answers);
    await expect(ask(endpoint)).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('judges nobody where AWS is away, and tells no key', async () => {
    const away = ask('http://127.0.0.1:9/');
    await expect(away).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(away).rejects.not.toMatchObject({ message: expect.stringContaining('canary') as string });
  });
});
