import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PipelinesWorld } from '../../../test/support/pipelines-world.ts';
import { ScriptedRunner } from '../../../test/support/scripted-runner.ts';
import type { CacheAccess } from '../../core/cache.ts';

const file = `
kind: pipeline
name: default
clone: {disable: true}
steps:
- name: install
  image: base/busybox
  commands: [make]
  cache: {key: modules, paths: [node_modules]}
`;

describe('what a pipeline may read and save of caches', () => {
  let world: PipelinesWorld;
  let runner: ScriptedRunner;

  beforeEach(async () => {
    world = await PipelinesWorld.create(undefined);
    world.files.set(world.project.id, { '.gantry.yml': file });
    runner = world.connect(new ScriptedRunner());
  });
  afterEach(() => world.close());

  async function accessOf(ref: string): Promise<CacheAccess | undefined> {
    await world.until(await world.pushed({ ref, kind: ref.startsWith('refs/tags/') ? 'tag' : 'push' }));
    return runner.assignments.at(-1)?.caches;
  }
  const protect = (protectedRefs: readonly string[]): Promise<unknown> =>
    world.store.write(({ projects }) => projects.update({ ...world.project, protectedRefs }));

  it('is shared with everybody on the default branch, whether it is protected or not', async () => {
    await protect([]);
    expect(await accessOf('refs/heads/main')).toMatchObject({ scope: 'protected' });
  });

  it('is its own on every other branch', async () => {
    expect(await accessOf('refs/heads/evil')).toMatchObject({ scope: 'refs/heads/evil' });
  });

  it('is shared on a branch that is protected by its name', async () => {
    await protect(['main', 'stable', 'refs/heads/next']);
    expect(await accessOf('refs/heads/stable')).toMatchObject({ scope: 'protected' });
    expect(await accessOf('refs/heads/next')).toMatchObject({ scope: 'protected' });
  });

  it.each(['release/*', 'refs/heads/release/*', '*/*', '**', 'release/{1,evil}', 'release/[a-z]*'])(
    'is its own on a branch that anybody who may push can make under the protected pattern "%s"',
    async (pattern) => {
      await protect(['main', pattern]);
      expect(await accessOf('refs/heads/release/evil')).toMatchObject({ scope: 'refs/heads/release/evil' });
    },
  );

  it('is its own at a tag, protected or not: a tag may name any commit', async () => {
    await protect(['main', 'v1', 'refs/tags/v1']);
    expect(await accessOf('refs/tags/v1')).toMatchObject({ scope: 'refs/tags/v1' });
  });
});
