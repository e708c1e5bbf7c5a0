import { open } from 'node:fs/promises';

/**
 * Makes the names in a folder durable: syncing a file keeps its contents, and only this keeps that it is there.
 * A folder that is gone (its last reference was deleted meanwhile) has nothing to keep.
 */
export async function syncFolder(path: string): Promise<void> {
  await syncFile(path);
}

/** Makes the contents of a file durable. One that is gone has nothing to keep. */
export async function syncFile(path: string): Promise<void> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Whether a file system call failed because nothing is there. */
export function isMissing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
