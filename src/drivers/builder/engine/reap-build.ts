import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import { EngineError, isNotFound } from '../../container-engine/api/engine-error.ts';
import type { BuildRecord } from './build-records.ts';
import { giveBack } from './push-image.ts';

/**
 * Ends a build whose process is gone, and takes its names from the engine; names that it pushed under go back to the
 * images that had them. Answers what it removed, in words. Throws where the engine does not answer.
 */
export async function reapBuild(client: EngineClient, record: BuildRecord): Promise<readonly string[]> {
  const removed: string[] = [];
  try {
    await client.call('POST', '/build/cancel', { query: { id: record.id }, timeoutMs: 30_000 });
  } catch (error) {
    // An engine that knows no such build says so: then it has ended.
    if (!(error instanceof EngineError)) throw error;
  }
  for (const tag of record.tags)
    if (await wasThere(() => client.call('DELETE', `/images/${tag}`, { timeoutMs: 30_000 })))
      removed.push(`image ${tag}`);
  for (const { name, before } of record.pushes)
    if (await wasThere(() => giveBack(client, name, before))) removed.push(`name ${name}`);
  return removed;
}

/** What is not there any more is as it should be. */
async function wasThere(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
