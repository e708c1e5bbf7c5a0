import { join } from 'node:path';
import type { ComposedImages } from '../core/image.ts';
import { ComposedSource } from '../drivers/images/composed/composed-source.ts';
import { RegistrySource } from '../drivers/images/registry/registry-source.ts';
import { ImageStore } from '../drivers/images/store/image-store.ts';

/** What images need to know of the host and the settings: plain data, since the runner gets it as JSON. */
export interface ImageSettings {
  readonly cacheFolder: string;
  readonly defaultRegistry?: string | undefined;
  readonly plainHttpRegistries: readonly string[];
  /** For npm on the host: HOME, mirror, proxy and CA variables. */
  readonly hostEnvironment: Readonly<Record<string, string>>;
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
export function createComposedImages(settings: Pick<ImageSettings, 'cacheFolder' | 'hostEnvironment'>): ComposedImages {
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

function composedSource(settings: Pick<ImageSettings, 'cacheFolder' | 'hostEnvironment'>): ComposedSource {
  return new ComposedSource({
    folder: join(settings.cacheFolder, 'composed'),
    architecture,
    hostEnvironment: settings.hostEnvironment,
  });
}

/** Variables of ours that npm and apt on the host may see; everything else stays out of their environment. */
export function hostEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const passed =
    /^(HOME|XDG_CONFIG_HOME|npm_config_(registry|cafile|proxy|https_proxy|cache)|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|(https?|no)_proxy|(HTTPS?|NO)_PROXY)$/i;
  const chosen: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment))
    if (value !== undefined && passed.test(name)) chosen[name] = value;
  return chosen;
}
