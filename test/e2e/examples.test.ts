import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoConverter } from '../support/converter.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'the example projects, in real sandboxes';
const examples = join(import.meta.dirname, '../../examples');

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  beforeAll(async () => {
    gantry = await GantryProcess.start({ runtime: 'sandbox' });
  });
  afterAll(() => gantry.dispose());

  /** Pushes an example as a project of its name; answers its steps, once they have ended. */
  async function push(name: string): Promise<string[]> {
    await gantry.createProject(name);
    await gantry.push(name, filesOf(name));
    return steps(name, 1);
  }

  async function steps(name: string, number: number): Promise<string[]> {
    const pipeline = await gantry.finished(name, number);
    expect(pipeline.error).toBeNull();
    return pipeline.steps.map((step) => `${step.workflow}/${step.name} ${step.status}`);
  }

  it('of Gantry passes', async () => {
    expect(await push('hello')).toEqual(['default/clone passed', 'default/test passed', 'default/smoke passed']);
  });

  it('of Drone 0.8 tests a push, and a promotion runs the step of its target', async () => {
    expect(await push('drone-0.8')).toEqual([
      'default/clone passed',
      'default/test passed',
      ...['package', 'deploy_lgdev', 'deploy_lgprod', 'check_deployed'].map((step) => `default/${step} skipped`),
    ]);
    const { number } = await gantry.client('promotePipeline', {
      params: { owner: 'admin', project: 'drone-0.8', number: 1 },
      body: { target: 'deploy_lgdev', parameters: {} },
    });
    expect(await steps('drone-0.8', number)).toEqual([
      'default/clone passed',
      'default/test skipped',
      'default/package skipped',
      'default/deploy_lgdev passed',
      'default/deploy_lgprod skipped',
      'default/check_deployed passed',
    ]);
    const { steps: run } = await gantry.finished('drone-0.8', number);
    const deployed = run.find(({ name }) => name === 'deploy_lgdev');
    expect(await gantry.log('drone-0.8', number, deployed?.id ?? 0)).toContain('with 1 replica(s) for lgdev');
  });

  it('of Drone 1.x runs the steps of its first document, and leaves the second to tags', async () => {
    expect(await push('drone-1')).toEqual(['test/clone passed', 'test/unit passed', 'test/style passed']);
  });

  it('of Woodpecker runs its matrix, and what the change calls for', async () => {
    expect(await push('woodpecker')).toEqual([
      'release/clone passed',
      'release/notes passed',
      'release/documents passed',
      'release/failure skipped',
      'test (LANGUAGE=en)/clone passed',
      'test (LANGUAGE=en)/greet passed',
      'test (LANGUAGE=zh)/clone passed',
      'test (LANGUAGE=zh)/greet passed',
    ]);
  });

  it.skipIf(whyNoConverter)('of Starlark runs one workflow for each part', async () => {
    expect(await push('drone-starlark')).toEqual([
      'api/clone passed',
      'api/check passed',
      'web/clone passed',
      'web/check passed',
    ]);
  });
});

/** The files of an example, by their paths in it. */
function filesOf(name: string): Record<string, string> {
  const folder = join(examples, name);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map((file) => {
      const path = join(file.parentPath, file.name);
      return [path.slice(folder.length + 1), readFileSync(path, 'utf8')];
    }),
  );
}
