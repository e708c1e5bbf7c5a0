import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createZstdDecompress } from 'node:zlib';
import { GantryError } from '../../../core/errors.ts';
import type { ImageConfig, RegistryCredentials } from '../../../core/image.ts';
import type { ImageRequest, ImageSource, LayerDescriptor, ResolvedImage } from '../images.ts';
import { type ComposeTools, type CompositionRecord, composeRoot } from './compose.ts';
import { DebianArchive, type DebianMirror } from './debian-archive.ts';
import { writeLayer } from './layer-tar.ts';
import type { Architecture, Recipe } from './recipe.ts';
import { findRecipe, offeredInstead, recipeDigest, recipes } from './recipes.ts';
import { runProgram } from './run-program.ts';
import { smokeTest } from './smoke.ts';

export interface ComposedSourceOptions {
  /** Cache that data folders share. */
  readonly folder: string;
  readonly architecture: Architecture;
  /** Passed to npm, go and apt on the host: HOME, mirrors, proxy, CA. */
  readonly hostEnvironment: Readonly<Record<string, string>>;
  /** Instead of the host's own apt sources. */
  readonly debianMirror?: DebianMirror | undefined;
}

/** What is kept of a composed image, beside its layer file. */
interface Kept {
  /** Of the recipe that it was composed by. */
  readonly recipe: string;
  readonly digest: string;
  readonly config: ImageConfig;
  readonly layers: readonly LayerDescriptor[];
  /** Packages of this image and of those below it. */
  readonly packages: readonly string[];
  readonly record: CompositionRecord;
}

/**
 * The base images `base/…`, composed from Debian packages on first need. Layers are kept as zstd tars by digest with an
 * OCI manifest and configuration, so that a registry can serve them later.
 */
export class ComposedSource implements ImageSource {
  readonly name = 'composed';
  readonly isRemote = false;
  readonly loginsFor = (): readonly RegistryCredentials[] => [];
  readonly #options: ComposedSourceOptions;
  readonly #archive: DebianArchive;
  readonly #kept = new Map<Recipe, Kept>();
  readonly #composing = new Map<
    string,
    { readonly kept: Promise<Kept>; readonly listeners: Set<(line: string) => void> }
  >();

  constructor(options: ComposedSourceOptions) {
    this.#options = options;
    this.#archive = new DebianArchive(join(options.folder, 'debian'), options.architecture, {
      environment: options.hostEnvironment,
      mirror: options.debianMirror,
    });
  }

  serves(reference: string): boolean {
    return isComposedName(reference);
  }

  async resolve(reference: string, request: ImageRequest): Promise<ResolvedImage> {
    const [name, wanted] = reference.split('@') as [string, string | undefined];
    const recipe = findRecipe(name);
    if (!recipe) {
      throw new GantryError(
        'IMAGE_NOT_FOUND',
        `Cannot compose "${reference}": there is no such base image; ${offeredInstead(name)}`,
      );
    }
    const kept = this.#kept.get(recipe) ?? (await this.#keep(recipe, request));
    this.#kept.set(recipe, kept);
    const { digest, config, layers } = kept;
    if (wanted !== undefined && wanted !== digest)
      throw new GantryError(
        'IMAGE_NOT_FOUND',
        `Cannot use "${reference}": what is composed here has the digest ${digest}`,
      );
    return { reference, digest, config, layers };
  }

  async openLayer(_image: ResolvedImage, layer: LayerDescriptor): Promise<NodeJS.ReadableStream> {
    const file = createReadStream(this.#blob(layer.digest), { highWaterMark: 2 ** 20 });
    const plain = createZstdDecompress();
    file.on('error', (error) => plain.destroy(error));
    return file.pipe(plain);
  }

  /** One composition of a recipe at a time; who asks meanwhile waits for it and hears its progress. */
  #keep(recipe: Recipe, request: ImageRequest): Promise<Kept> {
    const key = `${recipe.name}:${recipe.tags[0]}`;
    const running = this.#composing.get(key);
    if (running) {
      if (request.progress) running.listeners.add(request.progress);
      return running.kept;
    }
    const listeners = new Set(request.progress ? [request.progress] : []);
    const tell = (line: string): void => listeners.forEach((listener) => listener(line));
    // The work goes on for those who wait when the first asker gives up, so its signal is not handed on.
    const kept = this.#find(recipe).then((found) => found ?? this.#compose(recipe, tell));
    this.#composing.set(key, { kept, listeners });
    const forget = (): void => void this.#composing.delete(key);
    kept.then(forget, forget);
    return kept;
  }

  async #find(recipe: Recipe): Promise<Kept | undefined> {
    const text = await readFile(this.#recordFile(recipe), 'utf8').catch(() => undefined);
    const kept = text === undefined ? undefined : (JSON.parse(text) as Kept);
    return kept?.recipe === recipeDigest(recipe) ? kept : undefined;
  }

  async #compose(recipe: Recipe, progress: (line: string) => void): Promise<Kept> {
    const parentRecipe = recipe.parent === undefined ? undefined : findRecipe(recipe.parent);
    const parent = parentRecipe && (await this.#keep(parentRecipe, { progress }));
    const work = join(
      this.#options.folder,
      'composing',
      `${recipe.name.replaceAll('/', '-')}-${process.pid}-${randomUUID()}`,
    );
    const root = join(work, 'root');
    try {
      await mkdir(root, { recursive: true });
      await mkdir(join(this.#options.folder, 'blobs/sha256'), { recursive: true });
      const below = await this.#parentRoot(parentRecipe, work, progress);
      const tools: ComposeTools = {
        archive: this.#archive,
        npmFolder: join(this.#options.folder, 'npm'),
        architecture: this.#options.architecture,
        hostEnvironment: this.#options.hostEnvironment,
        progress,
      };
      await mkdir(tools.npmFolder, { recursive: true });
      const record = await composeRoot(root, recipe, { root: below, packages: new Set(parent?.packages ?? []) }, tools);
      progress(`composing ${recipe.name}:${recipe.tags[0]}: smoke test`);
      await smokeTest(below === undefined ? [root] : [below, root], recipe, undefined);
      const file = join(work, 'layer.tar.zst');
      const layer = await writeLayer(root, file);
      await rename(file, this.#blob(layer.digest));
      const kept = await this.#describe(recipe, parent, layer, record);
      await mkdir(join(this.#options.folder, 'records'), { recursive: true });
      await writeFile(join(work, 'record.json'), JSON.stringify(kept, undefined, 2));
      await rename(join(work, 'record.json'), this.#recordFile(recipe));
      progress(`composed ${recipe.name}:${recipe.tags[0]} ${kept.digest}`);
      return kept;
    } catch (cause) {
      if (cause instanceof GantryError) throw cause;
      throw new GantryError(
        'IMAGE_PULL_FAILED',
        `Cannot compose ${recipe.name}: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }

  /** The parent's files, laid out for the loader's cache and the smoke test. Parents have one layer of their own. */
  async #parentRoot(
    parent: Recipe | undefined,
    work: string,
    progress: (line: string) => void,
  ): Promise<string | undefined> {
    if (!parent) return undefined;
    const { layers } = await this.#keep(parent, { progress });
    const root = join(work, 'parent');
    await mkdir(root);
    for (const layer of layers)
      await runProgram('tar', ['--zstd', '-xf', this.#blob(layer.digest), '-C', root, '--same-permissions']);
    return root;
  }

  async #describe(
    recipe: Recipe,
    parent: Kept | undefined,
    layer: { diffId: string; digest: string; sizeBytes: number },
    record: CompositionRecord,
  ): Promise<Kept> {
    const layers = [...(parent?.layers ?? []), { ...layer, mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' }];
    const config: ImageConfig = {
      environment: Object.entries(recipe.environment).map(([name, value]) => `${name}=${value}`),
      entrypoint: [],
      command: recipe.command,
      user: '',
      workingDirectory: '',
      volumes: [],
    };
    // OCI image-spec 1.1, config.md; the time is fixed so that the same packages give the same digest.
    const configBlob = await this.#writeJson({
      architecture: this.#options.architecture,
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config: { Env: config.environment, Cmd: config.command },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
      history: [{ created: '1970-01-01T00:00:00Z', created_by: `${recipe.name}:${recipe.tags[0]}` }],
    });
    const manifest = await this.#writeJson({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: configBlob.digest,
        size: configBlob.size,
      },
      layers: layers.map(({ mediaType, digest, sizeBytes }) => ({ mediaType, digest, size: sizeBytes })),
    });
    const packages = [...(parent?.packages ?? []), ...record.packages.map(({ name }) => name)];
    return { recipe: recipeDigest(recipe), digest: manifest.digest, config, layers, packages, record };
  }

  async #writeJson(value: unknown): Promise<{ digest: string; size: number }> {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    await writeFile(this.#blob(digest), bytes);
    return { digest, size: bytes.length };
  }

  #blob(digest: string): string {
    return join(this.#options.folder, 'blobs', digest.replace(':', '/'));
  }

  #recordFile(recipe: Recipe): string {
    return join(this.#options.folder, 'records', `${recipe.name.replaceAll('/', '-')}-${recipe.tags[0]}.json`);
  }
}

/** Names below `base/` are ours; of other names only those of a recipe. */
export function isComposedName(reference: string): boolean {
  const name = reference.split(/[:@]/)[0];
  return reference.startsWith('base/') || recipes.some((recipe) => recipe.name === name);
}
