import { readFile, stat } from 'node:fs/promises';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { type Mirrors, type NetworkSettings, secretsOf, splitCredentials } from '../core/network-settings.ts';
import { MaskSet } from '../engine/masking/masker.ts';
import { proxyVariables, securityArchive } from '../engine/step-settings.ts';
import { readCertificates } from '../lib/java-trust-store.ts';
import type { Config } from './config.ts';
import type { Examination } from './examination.ts';
import { readOutwardSettings } from './outward-settings.ts';

const timeoutMs = 10_000;

/** Looks at the CA bundle, the proxy, each mirror and each registry that a rule for images names, one sentence each. Throws CONFIG_INVALID. */
export async function examineNetwork(
  config: Pick<Config, 'caBundle' | 'mirrors' | 'plainHttpRegistries'>,
): Promise<readonly Examination[]> {
  const { caBundle, network } = readOutwardSettings(config);
  const bundle = caBundle === undefined ? undefined : await readFile(caBundle, 'utf8').catch(() => '');
  const masks = new MaskSet(secretsOf(network));
  const found = await Promise.all([
    examineBundle(caBundle, bundle),
    ...examineFile(config.mirrors, network),
    ...examineProxies(network),
    ...addressesOf(network, config.plainHttpRegistries).map((asked) => examineAddress(asked, network, bundle)),
  ]);
  return found.flatMap((examination) =>
    examination ? [{ ...examination, finding: masks.maskText(examination.finding) }] : [],
  );
}

async function examineBundle(path: string | undefined, bundle: string | undefined): Promise<Examination> {
  if (path === undefined || bundle === undefined)
    return { subject: 'ca', verdict: 'warning', finding: 'no CA bundle: steps trust what their image trusts' };
  const count = readCertificates(bundle).length;
  return count > 0
    ? { subject: 'ca', verdict: 'ok', finding: `${count} certificates in ${path}` }
    : {
        subject: 'ca',
        verdict: 'failed',
        finding: `${path} has no certificate in it: every TLS connection of a step fails`,
      };
}

/** A file with passwords is for its owner. */
function examineFile(path: string | undefined, network: NetworkSettings): readonly Promise<Examination | undefined>[] {
  if (path === undefined || secretsOf(network).length === 0) return [];
  return [
    stat(path).then(({ mode }) =>
      (mode & 0o077) === 0
        ? undefined
        : {
            subject: 'mirrors',
            verdict: 'warning',
            finding: `${path} has credentials in it and others may read it: chmod 600 ${path}`,
          },
    ),
  ];
}

function examineProxies({ proxy }: NetworkSettings): readonly Promise<Examination>[] {
  const addresses = new Set([proxy?.http, proxy?.https].filter((address) => address !== undefined));
  return [...addresses].map(async (address): Promise<Examination> => {
    const { host, hostname, port, protocol } = new URL(address);
    const target = { host: hostname, port: Number(port || (protocol === 'https:' ? 443 : 80)) };
    const failure = await whyUnreachable(target);
    return failure === undefined
      ? { subject: 'proxy', verdict: 'ok', finding: `${host} takes connections` }
      : { subject: 'proxy', verdict: 'failed', finding: `${host} cannot be reached: ${failure}` };
  });
}

function whyUnreachable(target: { readonly host: string; readonly port: number }): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ ...target, timeout: timeoutMs });
    const settle = (answer: string | undefined): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(undefined));
    socket.once('timeout', () => settle(`it does not answer within ${timeoutMs / 1_000} s`));
    socket.once('error', (error) => settle(error.message));
  });
}

interface Asked {
  readonly subject: 'mirrors' | 'images';
  readonly name: string;
  readonly address: string;
}

function addressesOf({ images, mirrors }: NetworkSettings, plainHttpHosts: readonly string[]): readonly Asked[] {
  const { goSumDb: _, debianSecurity, ...asked } = mirrors;
  const all: Mirrors = {
    ...asked,
    ...(mirrors.debian === undefined ? {} : { debianSecurity: securityArchive(mirrors.debian, debianSecurity) }),
  };
  const hosts = images.map(({ to }) => to.split('/')[0]!).filter((host) => /[.:]/.test(host) && !host.includes('*'));
  return [
    ...Object.entries(all).flatMap(([name, address]): Asked[] =>
      address === undefined ? [] : [{ subject: 'mirrors', name, address: address.replace(/^sparse\+/, '') }],
    ),
    ...[...new Set(hosts)].map((host): Asked => {
      const isPlain = plainHttpHosts.includes(host) || /^(localhost|127\.)/.test(host);
      return { subject: 'images', name: 'registry', address: `${isPlain ? 'http' : 'https'}://${host}/v2/` };
    }),
  ];
}

/** Any answer of the server itself is good: what a mirror says of its root differs from one to the next. */
async function examineAddress(
  { address, name, subject }: Asked,
  network: NetworkSettings,
  bundle: string | undefined,
): Promise<Examination> {
  const { address: shown, password, username } = splitCredentials(address);
  const about = `${name}: ${shown}`;
  try {
    const status = await statusOf(shown, {
      authorization: username ? `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` : undefined,
      proxies: proxyVariables(network),
      bundle,
    });
    if (status === 407)
      return { subject, verdict: 'failed', finding: `${about}: the proxy asks for other credentials` };
    // A registry asks everybody to sign in, and does so by this very answer.
    if ((status === 401 || status === 403) && subject !== 'images')
      return { subject, verdict: 'failed', finding: `${about}: it refuses us (HTTP ${status})` };
    if (status >= 500) return { subject, verdict: 'warning', finding: `${about}: it answers HTTP ${status}` };
    return { subject, verdict: 'ok', finding: `${about}: it answers` };
  } catch (error) {
    return { subject, verdict: 'failed', finding: `${about}: ${inWords(error as NodeJS.ErrnoException)}` };
  }
}

function statusOf(
  address: string,
  options: {
    readonly authorization: string | undefined;
    readonly proxies: Readonly<Record<string, string>>;
    readonly bundle: string | undefined;
  },
): Promise<number> {
  const { authorization, bundle, proxies } = options;
  const isTls = address.startsWith('https:');
  const agent = isTls
    ? new HttpsAgent({ proxyEnv: proxies, ...(bundle === undefined ? {} : { ca: bundle }) })
    : new HttpAgent({ proxyEnv: proxies });
  return new Promise((resolve, reject) => {
    const request = (isTls ? httpsRequest : httpRequest)(
      address,
      { agent, timeout: timeoutMs, headers: authorization === undefined ? {} : { authorization } },
      (response) => {
        response.destroy();
        resolve(response.statusCode ?? 0);
      },
    );
    request.once('timeout', () => request.destroy(new Error(`it does not answer within ${timeoutMs / 1_000} s`)));
    request.once('error', reject);
    request.end();
  });
}

function inWords(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'its name is not known here';
    case 'ECONNREFUSED':
      return 'nobody listens there';
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return 'its certificate is signed by nobody in the CA bundle: add the issuer and name the file in GANTRY_CA_BUNDLE';
    default:
      return error.message;
  }
}
