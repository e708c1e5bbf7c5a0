import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type NetworkSettings, noNetworkSettings, secretsOf } from '../core/network-settings.ts';
import { stepSettings } from './step-settings.ts';

const pem = readFileSync(new URL('../../test/support/example-ca.pem', import.meta.url), 'utf8');
const everything: NetworkSettings = {
  proxy: {
    http: 'http://robot:proxy-word@proxy.example:3128',
    https: 'http://robot:proxy-word@proxy.example:3128',
    noProxy: ['.example.internal'],
  },
  mirrors: {
    npm: 'https://robot:npm-word@mirror.example/npm/',
    pypi: 'http://robot:pypi-word@mirror.example/simple',
    go: 'https://mirror.example/go',
    goSumDb: 'off',
    maven: 'https://robot:maven-word@mirror.example/maven?a&b',
    cargo: 'sparse+https://robot:cargo-word@mirror.example/index/',
    debian: 'http://mirror.example/debian/',
    rubygems: 'https://mirror.example/gems',
  },
  images: [],
  registries: [],
};

describe('stepSettings', () => {
  it('gives the CA bundle to every tool, and nothing else when nothing is set', () => {
    const { environment, files } = stepSettings({ network: noNetworkSettings, caBundle: pem });
    expect(environment).toEqual({
      SSL_CERT_FILE: '/.gantry/ca-bundle.pem',
      NODE_EXTRA_CA_CERTS: '/.gantry/ca-bundle.pem',
      PIP_CERT: '/.gantry/ca-bundle.pem',
      REQUESTS_CA_BUNDLE: '/.gantry/ca-bundle.pem',
      CURL_CA_BUNDLE: '/.gantry/ca-bundle.pem',
      GIT_SSL_CAINFO: '/.gantry/ca-bundle.pem',
      CARGO_HTTP_CAINFO: '/.gantry/ca-bundle.pem',
      APT_CONFIG: '/.gantry/apt/apt.conf',
      JAVA_TOOL_OPTIONS: '-Djavax.net.ssl.trustStore=/.gantry/java/cacerts -Djavax.net.ssl.trustStoreType=JKS',
    });
    expect([...files.keys()].sort()).toEqual(['/.gantry/apt/apt.conf', '/.gantry/java/cacerts']);
    expect(stepSettings({ network: noNetworkSettings })).toEqual({ environment: {}, files: new Map() });
  });

  it('keeps credentials out of every file', () => {
    const { environment, files } = stepSettings({ network: everything, caBundle: pem });
    const secrets = secretsOf(everything);
    expect(secrets).toEqual(
      expect.arrayContaining(['proxy-word', 'npm-word', 'pypi-word', 'maven-word', 'cargo-word']),
    );
    for (const [path, bytes] of files)
      for (const secret of secrets) expect(bytes.includes(secret), `${secret} in ${path}`).toBe(false);
    expect(files.get('/.gantry/npmrc')?.toString()).toBe('//mirror.example/npm/:_auth=${GANTRY_NPM_AUTH}\n');
    expect(Buffer.from(environment['GANTRY_NPM_AUTH']!, 'base64').toString()).toBe('robot:npm-word');
    expect(environment['JAVA_TOOL_OPTIONS']).not.toContain('word');
  });

  it('names proxy and mirrors as each tool reads them', () => {
    const { environment, files } = stepSettings({ network: everything, caBundle: pem });
    expect(environment).toMatchObject({
      https_proxy: 'http://robot:proxy-word@proxy.example:3128',
      HTTPS_PROXY: 'http://robot:proxy-word@proxy.example:3128',
      no_proxy: 'localhost,127.0.0.1,::1,.example.internal',
      NODE_USE_ENV_PROXY: '1',
      npm_config_registry: 'https://mirror.example/npm/',
      PIP_INDEX_URL: 'http://robot:pypi-word@mirror.example/simple',
      PIP_TRUSTED_HOST: 'mirror.example',
      GOPROXY: 'https://mirror.example/go',
      GOSUMDB: 'off',
      CARGO_REGISTRIES_GANTRY_MIRROR_INDEX: 'sparse+https://robot:cargo-word@mirror.example/index/',
      BUNDLE_MIRROR__ALL: 'https://mirror.example/gems',
      GANTRY_MAVEN_USERNAME: 'robot',
      GANTRY_MAVEN_PASSWORD: 'maven-word',
      GANTRY_PROXY_PASSWORD: 'proxy-word',
    });
    expect(environment['JAVA_TOOL_OPTIONS']).toContain('-Dmaven.conf=/.gantry/maven');
    expect(environment['JAVA_TOOL_OPTIONS']).toContain('-Dhttps.proxyHost=proxy.example -Dhttps.proxyPort=3128');
    const maven = files.get('/.gantry/maven/settings.xml')!.toString();
    expect(maven).toContain('<url>https://mirror.example/maven?a&amp;b</url>');
    expect(maven).toContain('<nonProxyHosts>localhost|127.*|[::1]|*.example.internal</nonProxyHosts>');
    expect(files.get('/.gantry/apt/debian.list')?.toString()).toBe('http://mirror.example/debian/\n');
    expect(files.get('/.gantry/apt/debian-security.list')?.toString()).toBe('http://mirror.example/debian-security\n');
  });

  it('has the same files for the same settings', () => {
    const [one, two] = [0, 1].map(() => stepSettings({ network: everything, caBundle: pem }).files);
    expect(one).toEqual(two);
  });
});
