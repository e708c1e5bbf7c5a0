import { type NetworkSettings, splitCredentials } from '../core/network-settings.ts';
import { javaTrustStore, readCertificates } from '../lib/java-trust-store.ts';

/** What an installation gives to every step: variables, which a pipeline file overrides, and files at absolute paths. */
export interface StepSettings {
  readonly environment: Readonly<Record<string, string>>;
  /** Without secrets: they lie on disks. */
  readonly files: ReadonlyMap<string, Buffer>;
}

export interface StepSettingsInput {
  readonly network: NetworkSettings;
  /** Text of the CA bundle; absent = steps trust what their image does. */
  readonly caBundle?: string | undefined;
  /** Where the host gets Debian packages, for steps of images that we compose. */
  readonly debianSources?: { readonly main: readonly string[]; readonly security: readonly string[] } | undefined;
}

/** Folder of ours in every step. */
const folder = '/.gantry';
export const caBundlePath = `${folder}/ca-bundle.pem`;
const trustStorePath = `${folder}/java/cacerts`;
const mavenFolder = `${folder}/maven`;
const npmrcPath = `${folder}/npmrc`;
const aptFolder = `${folder}/apt`;

/** Variables by which the usual tools find a CA bundle. */
export const caBundleVariables = [
  'SSL_CERT_FILE',
  'NODE_EXTRA_CA_CERTS',
  'PIP_CERT',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'CARGO_HTTP_CAINFO',
] as const;

/** Never asked of a proxy, whatever the settings say: a job's own network. */
const alwaysDirect = ['localhost', '127.0.0.1', '::1'];

/**
 * CA bundle, proxy and mirrors as the tools' own variables and files: npm, pip, uv, Go, Maven, Cargo, apt, Bundler, git,
 * curl, Node, Java. Credentials are in variables only; a file names the variable.
 */
export function stepSettings(input: StepSettingsInput): StepSettings {
  const { caBundle, network } = input;
  const files = new Map<string, Buffer>();
  const put = (path: string, content: string | Buffer): void => void files.set(path, Buffer.from(content));
  if (caBundle !== undefined) put(trustStorePath, javaTrustStore(readCertificates(caBundle)));
  const usesMavenSettings = network.mirrors.maven !== undefined || network.proxy !== undefined;
  if (usesMavenSettings) {
    put(`${mavenFolder}/settings.xml`, mavenSettings(network));
    put(`${mavenFolder}/logging/simplelogger.properties`, mavenLogging);
  }
  if (network.mirrors.cargo !== undefined) put('/.cargo/config.toml', cargoSettings);
  const npm = network.mirrors.npm === undefined ? undefined : splitCredentials(network.mirrors.npm);
  if (npm?.username) put(npmrcPath, `${npm.address.replace(/^https?:/, '')}:_auth=\${GANTRY_NPM_AUTH}\n`);
  for (const [name, addresses] of Object.entries(debianLists(input)))
    if (addresses.length > 0) put(`${aptFolder}/${name}.list`, addresses.map((address) => `${address}\n`).join(''));
  if (caBundle !== undefined) put(`${aptFolder}/apt.conf`, `Acquire::https::CAInfo "${caBundlePath}";\n`);

  return {
    files,
    environment: {
      ...(caBundle === undefined
        ? {}
        : {
            ...Object.fromEntries(caBundleVariables.map((name) => [name, caBundlePath])),
            APT_CONFIG: `${aptFolder}/apt.conf`,
          }),
      ...proxyVariables(network),
      ...proxyLogin(network),
      ...mirrorVariables(network),
      ...javaVariables(network, { hasTrustStore: caBundle !== undefined, usesMavenSettings }),
    },
  };
}

/** The proxy by the names that tools read, for steps and for what the host itself runs. */
export function proxyVariables({ proxy }: NetworkSettings): Record<string, string> {
  if (!proxy) return {};
  const direct = [...new Set([...alwaysDirect, ...proxy.noProxy])].join(',');
  const named = { http_proxy: proxy.http, https_proxy: proxy.https, no_proxy: direct };
  const variables: Record<string, string> = { NODE_USE_ENV_PROXY: '1' };
  for (const [name, value] of Object.entries(named))
    if (value !== undefined) Object.assign(variables, { [name]: value, [name.toUpperCase()]: value });
  return variables;
}

/** For Maven, whose settings name the variables: it does not read the proxy's address. */
function proxyLogin({ proxy }: NetworkSettings): Record<string, string> {
  const { password, username } = splitCredentials(proxy?.https ?? proxy?.http ?? 'http://none');
  return username ? { GANTRY_PROXY_USERNAME: username, GANTRY_PROXY_PASSWORD: password } : {};
}

/** The mirrors by the variables of their tools, for steps and for what the host itself runs. */
export function mirrorVariables({ mirrors }: NetworkSettings): Record<string, string> {
  const variables: Record<string, string> = {};
  if (mirrors.npm !== undefined) {
    const { address, password, username } = splitCredentials(mirrors.npm);
    Object.assign(variables, { npm_config_registry: address, YARN_NPM_REGISTRY_SERVER: address });
    if (username)
      Object.assign(variables, {
        npm_config_globalconfig: npmrcPath,
        GANTRY_NPM_AUTH: Buffer.from(`${username}:${password}`).toString('base64'),
      });
  }
  if (mirrors.pypi !== undefined) {
    Object.assign(variables, { PIP_INDEX_URL: mirrors.pypi, UV_DEFAULT_INDEX: mirrors.pypi });
    if (mirrors.pypi.startsWith('http:')) variables['PIP_TRUSTED_HOST'] = new URL(mirrors.pypi).host;
  }
  if (mirrors.go !== undefined) variables['GOPROXY'] = mirrors.go;
  if (mirrors.goSumDb !== undefined) variables['GOSUMDB'] = mirrors.goSumDb;
  if (mirrors.maven !== undefined) {
    const { password, username } = splitCredentials(mirrors.maven);
    if (username) Object.assign(variables, { GANTRY_MAVEN_USERNAME: username, GANTRY_MAVEN_PASSWORD: password });
  }
  if (mirrors.cargo !== undefined) variables['CARGO_REGISTRIES_GANTRY_MIRROR_INDEX'] = mirrors.cargo;
  if (mirrors.rubygems !== undefined) variables['BUNDLE_MIRROR__ALL'] = mirrors.rubygems;
  return variables;
}

/** The archive of the settings; without one what the host uses. The security archive lies beside the main one. */
function debianLists({ debianSources, network: { mirrors } }: StepSettingsInput): {
  readonly debian: readonly string[];
  readonly 'debian-security': readonly string[];
} {
  if (mirrors.debian === undefined)
    return { debian: debianSources?.main ?? [], 'debian-security': debianSources?.security ?? [] };
  return { debian: [mirrors.debian], 'debian-security': [securityArchive(mirrors.debian, mirrors.debianSecurity)] };
}

/** `…/debian` → `…/debian-security`, unless the settings name another. */
export function securityArchive(debian: string, named: string | undefined): string {
  return named ?? `${debian.replace(/\/$/, '')}-security`;
}

/** A JVM has no variable for a PEM file or a proxy, but one for its own options, which every JVM reads. */
function javaVariables(
  { proxy }: NetworkSettings,
  { hasTrustStore, usesMavenSettings }: { readonly hasTrustStore: boolean; readonly usesMavenSettings: boolean },
): Record<string, string> {
  const options: string[] = [];
  if (hasTrustStore) options.push(`-Djavax.net.ssl.trustStore=${trustStorePath}`, '-Djavax.net.ssl.trustStoreType=JKS');
  if (usesMavenSettings) options.push(`-Dmaven.conf=${mavenFolder}`);
  for (const scheme of ['http', 'https'] as const) {
    const address = proxy?.[scheme];
    if (address === undefined) continue;
    const { host, port } = hostAndPort(address);
    options.push(`-D${scheme}.proxyHost=${host}`, `-D${scheme}.proxyPort=${port}`);
  }
  if (proxy) options.push(`-Dhttp.nonProxyHosts=${javaDirect(proxy.noProxy)}`);
  return options.length === 0 ? {} : { JAVA_TOOL_OPTIONS: options.join(' ') };
}

function javaDirect(hosts: readonly string[]): string {
  return [...new Set(['localhost', '127.*', '[::1]', ...hosts.map((host) => host.replace(/^\./, '*.'))])].join('|');
}

function hostAndPort(address: string): { readonly host: string; readonly port: string } {
  const { hostname, port, protocol } = new URL(address);
  return { host: hostname, port: port === '' ? (protocol === 'https:' ? '443' : '80') : port };
}

function mavenSettings({ mirrors, proxy }: NetworkSettings): string {
  const parts: string[] = [];
  if (mirrors.maven !== undefined) {
    const { address, username } = splitCredentials(mirrors.maven);
    if (username)
      parts.push(
        '<servers><server><id>gantry</id><username>${env.GANTRY_MAVEN_USERNAME}</username><password>${env.GANTRY_MAVEN_PASSWORD}</password></server></servers>',
      );
    // A repository on the step's own loopback, or in its files, stays what it is.
    parts.push(
      `<mirrors><mirror><id>gantry</id><mirrorOf>external:*</mirrorOf><url>${escapeXml(address)}</url></mirror></mirrors>`,
    );
  }
  if (proxy) {
    const proxies = (['http', 'https'] as const).flatMap((scheme) => {
      const address = proxy[scheme];
      if (address === undefined) return [];
      const { host, port } = hostAndPort(address);
      const login = splitCredentials(address).username
        ? `<username>\${env.GANTRY_PROXY_USERNAME}</username><password>\${env.GANTRY_PROXY_PASSWORD}</password>`
        : '';
      const direct = escapeXml(javaDirect(proxy.noProxy));
      return `<proxy><id>${scheme}</id><active>true</active><protocol>${scheme}</protocol><host>${escapeXml(host)}</host><port>${port}</port>${login}<nonProxyHosts>${direct}</nonProxyHosts></proxy>`;
    });
    parts.push(`<proxies>${proxies.join('')}</proxies>`);
  }
  return `<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0">\n${parts.join('\n')}\n</settings>\n`;
}

/** As Maven's own: with another folder of settings it would tell its output by class names. */
const mavenLogging = [
  'org.slf4j.simpleLogger.defaultLogLevel=info',
  'org.slf4j.simpleLogger.showDateTime=false',
  'org.slf4j.simpleLogger.showThreadName=false',
  'org.slf4j.simpleLogger.showLogName=false',
  'org.slf4j.simpleLogger.logFile=System.out',
  'org.slf4j.simpleLogger.cacheOutputStream=true',
  'org.slf4j.simpleLogger.levelInBrackets=true',
  '',
].join('\n');

/** Read from the root of the file system by a cargo that runs anywhere below it; a file nearer to it wins. */
const cargoSettings = '[source.crates-io]\nreplace-with = "gantry-mirror"\n';

function escapeXml(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}
