import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testDatabases } from '../../test/support/databases.ts';
import { createPerson, createProject, someTime } from '../../test/support/store-world.ts';
import type { SealedSecret } from '../core/secret-record.ts';
import type { ImportedKey } from '../core/signing-key.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { openStore, type Store } from './open-store.ts';

const databases = await testDatabases();
const sealedWith = (byte: number): SealedSecret => ({
  keyId: `key ${byte}`,
  wrappedKey: Buffer.from([byte, 0, 255]),
  nonce: Buffer.from([byte]),
  ciphertext: Buffer.from(`密 ${byte}`),
});
const imported = (byte: number, by = 'mei'): ImportedKey => ({
  sealed: sealedWith(byte),
  updatedAt: new Date(someTime.getTime() + byte),
  updatedBy: by,
});

describe.each(databases)('signing keys on $name', ({ create, stop, isMissing }) => {
  if (isMissing) {
    it.skip('need the database', () => {});
    return;
  }

  let store: Store;
  let web: number;
  let api: number;
  beforeEach(async () => {
    store = await openStore(await create(), { clock: systemClock, logger: silentLogger });
    const mei = await createPerson(store, 'mei');
    [web, api] = [(await createProject(store, mei.id, 'web')).id, (await createProject(store, mei.id, 'api')).id];
  });
  afterEach(() => store.close());
  afterAll(stop);

  it('are made once for each project, however many ask for one at the same time', async () => {
    expect(await store.read.signingKeys.find(web)).toBeUndefined();
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        store.write(({ signingKeys }) => signingKeys.create(web, sealedWith(index), someTime)),
      ),
    );
    expect(made.filter(Boolean)).toHaveLength(1);
    const found = await store.read.signingKeys.find(web);
    expect(found).toEqual(sealedWith(made.indexOf(true)));
    expect(Buffer.isBuffer(found?.ciphertext)).toBe(true);
    expect(await store.read.signingKeys.find(api)).toBeUndefined();
  });

  it('are never replaced: what was signed and encrypted with one needs it', async () => {
    await store.write(({ signingKeys }) => signingKeys.create(web, sealedWith(1), someTime));
    expect(await store.write(({ signingKeys }) => signingKeys.create(web, sealedWith(2), someTime))).toBe(false);
    expect(await store.read.signingKeys.find(web)).toEqual(sealedWith(1));
  });

  it('of a project that is not there are refused', async () => {
    await expect(
      store.write(({ signingKeys }) => signingKeys.create(web + 1_000, sealedWith(1), someTime)),
    ).rejects.toThrow();
    await expect(store.write(({ signingKeys }) => signingKeys.setImported(web + 1_000, imported(1)))).rejects.toThrow();
  });

  it('that were brought stand beside the own one, are replaced, and forgotten', async () => {
    await store.write(({ signingKeys }) => signingKeys.create(web, sealedWith(1), someTime));
    expect(await store.read.signingKeys.findImported(web)).toBeUndefined();
    await store.write(({ signingKeys }) => signingKeys.setImported(web, imported(2)));
    expect(await store.read.signingKeys.findImported(web)).toEqual(imported(2));
    await store.write(({ signingKeys }) => signingKeys.setImported(web, imported(3, 'wei')));
    expect(await store.read.signingKeys.findImported(web)).toEqual(imported(3, 'wei'));
    expect(await store.read.signingKeys.find(web)).toEqual(sealedWith(1));
    expect(await store.read.signingKeys.findImported(api)).toBeUndefined();
    expect(await store.write(({ signingKeys }) => signingKeys.removeImported(api))).toBe(false);
    expect(await store.write(({ signingKeys }) => signingKeys.removeImported(web))).toBe(true);
    expect(await store.write(({ signingKeys }) => signingKeys.removeImported(web))).toBe(false);
    expect(await store.read.signingKeys.findImported(web)).toBeUndefined();
    expect(await store.read.signingKeys.find(web)).toEqual(sealedWith(1));
  });

  it('that were brought at the same time leave one of them, whole', async () => {
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        store.write(({ signingKeys }) => signingKeys.setImported(web, imported(index))),
      ),
    );
    const found = await store.read.signingKeys.findImported(web);
    expect(found).toEqual(imported(found!.sealed.nonce[0]!));
  });
});
