import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { corpusFiles, corpusRules, runCorpus } from '../support/corpus.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'a dozen files of each system, unmodified, in sandboxes';

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let folder: string;
  let gantry: GantryProcess;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-corpus-'));
    const rules = join(folder, 'mirrors.yaml');
    await writeFile(rules, corpusRules);
    gantry = await GantryProcess.start({ runtime: 'sandbox', settings: { GANTRY_MIRRORS: rules } });
  });
  afterAll(async () => {
    await gantry?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  it.concurrent.each(Object.keys(corpusFiles))('of %s', { timeout: 240_000 }, async (dialect) => {
    expect(await runCorpus(gantry, dialect, 120_000)).toBe(12);
  });
});
