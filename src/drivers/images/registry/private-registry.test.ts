import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { DockerRegistry, findRegistryHindrance, registryLogin } from '../../../../test/support/docker-registry.ts';
import { ImageStore } from '../store/image-store.ts';
import { RegistrySource } from './registry-source.ts';

const hindrance = findRegistryHindrance();
const title = "a private registry (Debian's docker-registry with htpasswd)";

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let registry: DockerRegistry;
  beforeAll(async () => {
    registry = await DockerRegistry.start({ isPrivate: true });
    await registry.push('team/app', '1.0', { 'etc/secret-recipe': 'salt' });
  });
  afterAll(() => registry?.stop());

  async function makeStore(): Promise<ImageStore> {
    const folder = await mkdtemp(join(tmpdir(), 'private-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
    const source = new RegistrySource({ plainHttpHosts: [], architecture, retryAfterMs: [1, 1, 1] });
    return new ImageStore({ folder, sources: [source] });
  }
  const pull = (store: ImageStore, ...credentials: readonly { registry: string; password: string }[]) =>
    store.provide(`${registry.host}/team/app:1.0`, {
      pull: 'default',
      credentials: credentials.map((each) => ({ ...each, username: registryLogin.username })),
    });

  it('gives an image to who has its password, by the longest match of host and path', async () => {
    const image = await pull(
      await makeStore(),
      { registry: registry.host, password: 'wrong' },
      { registry: `${registry.host}/team`, password: registryLogin.password },
      { registry: `${registry.host}/team/other`, password: 'wrong' },
    );
    expect(await readFile(join(image.layers[0]!, 'etc/secret-recipe'), 'utf8')).toBe('salt');
  });

  it('refuses who has none or a wrong one, and tells no password', async () => {
    const store = await makeStore();
    await expect(pull(store)).rejects.toThrow('refuses us (HTTP 401)');
    const refusal = await pull(store, { registry: registry.host, password: 'wrong-word' }).catch(
      (error: Error) => error,
    );
    expect(refusal).toMatchObject({ code: 'IMAGE_NOT_FOUND' });
    expect((refusal as Error).message).not.toContain('wrong-word');
  });

  it('does not give what one may read to another who may not, though it is here', async () => {
    const store = await makeStore();
    await pull(store, { registry: registry.host, password: registryLogin.password });
    await expect(pull(store)).rejects.toThrow('refuses us (HTTP 401)');
    await expect(pull(store, { registry: registry.host, password: 'wrong-word' })).rejects.toThrow('HTTP 401');
  });
});
