import type { RegistryCredentials } from '../core/image.ts';
import type { BuildPlugin } from '../core/plan.ts';
import { BuildFault, type BuildSettings, jsonOf } from './build-settings.ts';
import { type EcrRequest, isRegion, regionOfRegistry } from './ecr-request.ts';

export const dockerHub = 'docker.io';

/** How many logins AWS is asked for. */
const maxEcrRequests = 10;

/** Host and path of an address such as `https://index.docker.io/v1/`. */
export function hostOf(address: string): string {
  const host = address
    .replace(/^[a-z]+:\/\//i, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/\/+$/, '');
  return /^(?:index|registry-1)\.docker\.io$/.test(host) ? dockerHub : host;
}

/** Registry of names that have none, and of the login. Throws BuildFault where nobody can know it. */
export function registryOf(
  settings: BuildSettings,
  plugin: BuildPlugin,
  ecrLogins: readonly RegistryCredentials[],
): string {
  const written = writtenRegistry(settings, plugin);
  if (written !== undefined) return hostOf(written);
  if (plugin === 'ecr') return registryOfAws(settings, ecrLogins);
  if (plugin === 'gcr') return 'gcr.io';
  const location = settings.text('LOCATION');
  return plugin === 'gar' && location !== undefined ? `${location}-docker.pkg.dev` : dockerHub;
}

function writtenRegistry(settings: BuildSettings, plugin: BuildPlugin): string | undefined {
  const variable = plugin === 'ecr' ? 'ECR_REGISTRY' : 'DOCKER_REGISTRY';
  return settings.text('REGISTRY') ?? settings.variable(variable);
}

/** AWS tells the registry of an account; a repository that is written in full says it too. */
function registryOfAws(settings: BuildSettings, [login]: readonly RegistryCredentials[]): string {
  const registry = hostInRepository(settings) ?? login?.registry;
  if (registry !== undefined) return registry;
  // Until it is asked, a name of ours stands for what it will answer.
  if (awsKeysOf(settings)) return 'registry.invalid';
  throw new BuildFault(
    'Cannot push the image: name the "registry", or give "access_key" and "secret_key", with which AWS tells it',
  );
}

function hostInRepository(settings: BuildSettings): string | undefined {
  const [repository = ''] = settings.list('REPO');
  return /^(?:https?:\/\/)?([^/]*[.:][^/]*|localhost)\//i.exec(repository)?.[1];
}

function awsKeysOf(settings: BuildSettings): EcrRequest['keys'] | undefined {
  const accessKey = settings.text('ACCESS_KEY') ?? settings.variable('ECR_ACCESS_KEY', 'AWS_ACCESS_KEY_ID');
  const secretKey = settings.text('SECRET_KEY') ?? settings.variable('ECR_SECRET_KEY', 'AWS_SECRET_ACCESS_KEY');
  if (accessKey === undefined || secretKey === undefined) return undefined;
  return {
    accessKey,
    secretKey,
    sessionToken: settings.text('SESSION_TOKEN') ?? settings.variable('AWS_SESSION_TOKEN'),
  };
}

/** The logins that AWS is to be asked for: of the ecr plugins, and those of "logins" that have its keys. */
export function ecrRequestsOf(settings: BuildSettings, plugin: BuildPlugin): readonly EcrRequest[] {
  const keys = plugin === 'ecr' ? awsKeysOf(settings) : undefined;
  if (keys) {
    const written = writtenRegistry(settings, plugin);
    const registry = written === undefined ? hostInRepository(settings) : hostOf(written);
    const region = settings.text('REGION') ?? settings.variable('ECR_REGION', 'AWS_REGION');
    const names = settings.list('REPO').map((repo) => repo.replace(/^[a-z]+:\/\//i, ''));
    const create = settings.isOn('CREATE_REPOSITORY')
      ? names.map((name) => name.replace(/^[^/]*[.:][^/]*\//, '').replace(/:[^/:]*$/, ''))
      : [];
    return [
      {
        region: regionOf(region, registry ?? ''),
        keys,
        ...(registry === undefined ? {} : { registry }),
        create,
        scansOnPush: settings.isOn('SCAN_ON_PUSH'),
      },
    ];
  }
  const requests = loginsOf(settings).flatMap((login): readonly EcrRequest[] => {
    const { registry, aws_access_key_id: accessKey, aws_secret_access_key: secretKey, aws_region: region } = login;
    if (accessKey === undefined || secretKey === undefined) return [];
    const host = hostOf(textOf(registry, 'registry'));
    return [
      {
        region: regionOf(region === undefined ? undefined : textOf(region, 'aws_region'), host),
        keys: {
          accessKey: textOf(accessKey, 'aws_access_key_id'),
          secretKey: textOf(secretKey, 'aws_secret_access_key'),
        },
        registry: host,
        create: [],
        scansOnPush: false,
      },
    ];
  });
  if (requests.length > maxEcrRequests)
    throw new BuildFault(`Cannot log in: AWS is asked for up to ${maxEcrRequests} of "logins"`);
  return requests;
}

function textOf(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new BuildFault(`Cannot log in: each of "logins" for AWS needs "${name}"`);
}

function regionOf(written: string | undefined, registry: string): string {
  const region = written ?? regionOfRegistry(registry) ?? 'us-east-1';
  if (!isRegion(region)) throw new BuildFault(`Cannot log in to AWS: "${region.slice(0, 60)}" is no region`);
  return region;
}

/** Logins that the settings themselves have. Plugins take Docker's registry where none is named; `build` takes that of the image. */
export function credentialsOf(
  settings: BuildSettings,
  registry: string,
  plugin: BuildPlugin,
): readonly RegistryCredentials[] {
  const logins: RegistryCredentials[] = [];
  const key = settings.text('JSON_KEY') ?? settings.variable('GCR_JSON_KEY', 'GAR_JSON_KEY', 'GOOGLE_CREDENTIALS');
  const username = settings.text('USERNAME') ?? settings.variable('DOCKER_USERNAME', 'SERVICE_PRINCIPAL_CLIENT_ID');
  const password = settings.text('PASSWORD') ?? settings.variable('DOCKER_PASSWORD', 'SERVICE_PRINCIPAL_CLIENT_SECRET');
  const own =
    plugin === 'gantry' && writtenRegistry(settings, plugin) === undefined ? hostInRepository(settings) : undefined;
  if (username !== undefined && password !== undefined) logins.push({ registry: own ?? registry, username, password });
  else if (key !== undefined && (plugin === 'gcr' || plugin === 'gar' || plugin === 'kaniko'))
    logins.push({ registry, username: '_json_key', password: key.startsWith('{') ? key : decoded(key) });
  for (const login of loginsOf(settings)) {
    // AWS gives its own.
    if (login['aws_access_key_id'] !== undefined) continue;
    const { registry: at = dockerHub, username: name, password: word } = login;
    if (typeof at !== 'string' || typeof name !== 'string' || typeof word !== 'string')
      throw new BuildFault('Cannot log in: each of "logins" needs "registry", "username" and "password"');
    logins.push({ registry: hostOf(at), username: name, password: word });
  }
  return logins;
}

function loginsOf(settings: BuildSettings): readonly Readonly<Record<string, unknown>>[] {
  const list = jsonOf(settings.text('LOGINS') ?? '');
  return (Array.isArray(list) ? (list as readonly unknown[]) : []).map((each) => {
    if (typeof each !== 'object' || each === null)
      throw new BuildFault('Cannot log in: "logins" must be a list of maps');
    return each as Readonly<Record<string, unknown>>;
  });
}

function decoded(text: string): string {
  const plain = Buffer.from(text, 'base64').toString('utf8');
  return plain.startsWith('{') ? plain : text;
}
