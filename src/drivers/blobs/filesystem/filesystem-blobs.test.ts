import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, onTestFinished } from 'vitest';
import { blobStorageContract } from '../blobs.contract.ts';
import { FilesystemBlobs } from './filesystem-blobs.ts';

describe('blobs in files', () => {
  blobStorageContract(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gantry-blobs-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    return { open: () => new FilesystemBlobs(folder) };
  });
});
