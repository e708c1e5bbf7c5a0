import { join } from 'node:path';
import type { ComposedImages } from '../core/image.ts';
import { ComposedSource } from '../drivers/images/composed/composed-source.ts';
import { RegistrySource } from '../drivers/images/registry/registry-source.ts';
import { ImageStore } from '../drivers/images/store/image-store.ts';
import { mirrorVariables, proxyVariables, securityArchive } from '../engine/step-settings.ts';
import type { Config } from './config.ts';
import type { OutwardSettings } from './outward-settings.ts';

/** What images need to know of the host and the settings: plain data, since the runner gets it as JSON. */
export interface ImageSettings {
  readonly cacheFolder: string;
  readonly defaultRegistry?: string | undefined;
  readonly plainHttpRegistries: readonly string[];
  /** For npm, go and apt on the host: HOME, mirrors, proxy and CA variables. */
  readonly hostEnvironment: Readonly<Record<string, string>>;
  /** Instead of the host's own apt sources. */
  readonly debianMirror?: { readonly main: string; readonly security: string } | undefined;
}

const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** Base images composed here, all others pulled, both unpacked into one store that data folders share. */
export function createImages(settings: ImageSettings): ImageStore {
  return new ImageStore({
    folder: join(settings.cacheFolder, 'images'),
    sources: [
      composedSource(settings),
      new RegistrySource({
        defaultHost: settings.defaultRegistry ?? 'docker.io',
        plainHttpHosts: settings.plainHttpRegistries,
        architecture,
      }),
    ],
  });
}

/** The base images as bytes, for engines that keep images themselves. */
export function createComposedImages(
  settings: Pick<ImageSettings, 'cacheFolder' | 'hostEnvironment' | 'debianMirror'>,
): ComposedImages {
  const source = composedSource(settings);
  return {
    serves: (reference) => source.serves(reference),
    async open(reference, { progress }) {
      const image = await source.resolve(reference, { progress });
      return {
        digest: image.digest,
        architecture,
        config: image.config,
        layers: image.layers.map((layer) => ({
          diffId: layer.diffId,
          open: () => source.openLayer(image, layer),
        })),
      };
    },
  };
}

function composedSource(
  settings: Pick<ImageSettings, 'cacheFolder' | 'hostEnvironment' | 'debianMirror'>,
): ComposedSource {
  return new ComposedSource({
    folder: join(settings.cacheFolder, 'composed'),
    architecture,
    hostEnvironment: settings.hostEnvironment,
    debianMirror: settings.debianMirror,
  });
}

/** The settings of images, from those of the server. */
export function imageSettings(
  config: Pick<Config, 'cacheFolder' | 'defaultRegistry' | 'plainHttpRegistries'>,
  environment: Readonly<Record<string, string | undefined>>,
  outward: OutwardSettings,
): ImageSettings {
  const { debian, debianSecurity } = outward.network.mirrors;
  return {
    cacheFolder: config.cacheFolder,
    defaultRegistry: config.defaultRegistry,
    plainHttpRegistries: config.plainHttpRegistries,
    hostEnvironment: { ...hostEnvironment(environment), ...hostVariables(outward) },
    ...(debian === undefined
      ? {}
      : { debianMirror: { main: debian, security: securityArchive(debian, debianSecurity) } }),
  };
}

/** What npm, go and apt on the host find of CA bundle, proxy and mirrors. */
function hostVariables({ caBundle, network }: OutwardSettings): Record<string, string> {
  const { GANTRY_NPM_AUTH: auth, npm_config_globalconfig: _, ...mirrors } = mirrorVariables(network);
  const registry = mirrors['npm_config_registry'];
  return {
    ...(caBundle === undefined ? {} : { NODE_EXTRA_CA_CERTS: caBundle, SSL_CERT_FILE: caBundle }),
    ...proxyVariables(network),
    ...mirrors,
    // No shell stands between us and npm, so a name that is none to a shell arrives.
    ...(auth && registry ? { [`npm_config_${registry.replace(/^https?:/, '')}:_auth`]: auth } : {}),
  };
}

/** Variables of ours that npm, go and apt on the host may see; everything else stays out of their environment. */
export function hostEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const passed =
    /^(HOME|XDG_CONFIG_HOME|npm_config_(registry|cafile|proxy|https_proxy|cache)|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|GOPROXY|GOSUMDB|GONOSUMDB|(https?|no)_proxy|(HTTPS?|NO)_PROXY)$/i;
  const chosen: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment))
    if (value !== undefined && passed.test(name)) chosen[name] = value;
  return chosen;
}
