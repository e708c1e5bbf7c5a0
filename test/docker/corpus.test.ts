import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContainerEngine, findEngineHindrance } from '../support/container-engine.ts';
import { corpusFiles, corpusRules, runCorpus } from '../support/corpus.ts';
import { GantryProcess } from '../support/gantry-process.ts';

const hindrance = findEngineHindrance('docker');
const title = 'a dozen files of each system, unmodified, in a container engine';

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let folder: string;
  let engine: ContainerEngine;
  let gantry: GantryProcess;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-corpus-'));
    const rules = join(folder, 'mirrors.yaml');
    await writeFile(rules, corpusRules);
    engine = await ContainerEngine.start('docker');
    gantry = await GantryProcess.start({
      runtime: 'docker',
      settings: { GANTRY_DOCKER_HOST: engine.address, GANTRY_MIRRORS: rules },
    });
  });
  afterAll(async () => {
    await gantry?.dispose();
    await engine?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  it.each(Object.keys(corpusFiles))('of %s', { timeout: 400_000 }, async (dialect) => {
    expect(await runCorpus(gantry, dialect, 180_000)).toBe(12);
  });
});
