import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'steps that may be reused, in real sandboxes';
const file = `
kind: pipeline
name: build
steps:
- name: compile
  image: base/busybox
  commands:
  - mkdir -p dist/deep
  - cat src/a.txt > dist/deep/a.txt
  - echo built >> dist/deep/a.txt
  - chmod 751 dist/deep/a.txt
  - ln -s deep/a.txt dist/link
  reuse: {inputs: [src], outputs: [dist]}
- name: test
  image: base/busybox
  commands:
  - cat dist/link test/t.txt
  - stat -c %a dist/deep/a.txt
  - echo "commit [$(env | grep -c COMMIT)] status [$(env | grep -c STATUS)]"
  - echo "interfaces [$(grep -c ':' /proc/net/dev)]"
  reuse: {inputs: ['test/**']}
`;

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  beforeAll(async () => {
    gantry = await GantryProcess.start({ runtime: 'sandbox' });
  });
  afterAll(() => gantry.dispose());

  const logOf = (project: string, pipeline: PipelineDetail, name: string): Promise<string> =>
    gantry.log(project, pipeline.number, pipeline.steps.find((step) => step.name === name)!.id);

  /** What became of each step, by name. */
  const stepsOf = ({ steps }: PipelineDetail): Record<string, string> =>
    Object.fromEntries(steps.map(({ name, status, reusedFrom }) => [name, reusedFrom ? 'reused' : status]));

  const whyOf = async (project: string, number: number): Promise<string> => {
    const params = { owner: 'admin', project, number };
    return (await gantry.client('explainPipeline', { params })).items.map(({ sentence }) => sentence).join('\n');
  };

  it('stand for running again while nothing that they depend on changes, and say so', async () => {
    const project = 'reused';
    const { client } = gantry;
    const params = { owner: 'admin', project };
    await gantry.createProject(project);
    await gantry.push(project, { '.gantry.yml': file, 'src/a.txt': 'one\n', 'test/t.txt': 'first\n' });
    const first = await gantry.finished(project, 1);
    expect(first.status, JSON.stringify(first)).toBe('passed');
    expect(await logOf(project, first, 'compile')).toMatch(
      /reuse: missed: no result[^]*reuse: kept its result, \d+ KiB/,
    );
    const output = 'one\nbuilt\nfirst\n';
    expect(await logOf(project, first, 'test')).toContain(output);
    expect(await logOf(project, first, 'test')).toContain('commit [0] status [0]');
    // Its own loopback, and nothing else.
    expect(await logOf(project, first, 'test')).toContain('interfaces [1]');

    await gantry.push(project, { 'README.md': 'of no concern\n' });
    const whole = await gantry.finished(project, 2);
    expect(whole.status).toBe('passed');
    expect(stepsOf(whole)).toEqual({ clone: 'skipped', compile: 'reused', test: 'reused' });
    const [, compile] = whole.steps;
    expect(compile?.reusedFrom).toEqual({ number: 1, workflow: 'build', step: 'compile' });
    expect(compile).toMatchObject({ startedAt: null, reason: expect.stringContaining('reused from #1') });
    expect(await whyOf(project, 2)).toContain('was reused from #1');

    await gantry.push(project, { 'test/t.txt': 'second\n' });
    const part = await gantry.finished(project, 3);
    expect(part.status, JSON.stringify(part)).toBe('passed');
    expect(stepsOf(part)).toEqual({ clone: 'passed', compile: 'reused', test: 'passed' });
    expect(await logOf(project, part, 'test')).toContain('one\nbuilt\nsecond\n');
    expect(await logOf(project, part, 'test')).toContain('751\n');
    expect(await logOf(project, part, 'compile')).toMatch(/reuse: put its outputs back, \d+ KiB/);
    expect(await whyOf(project, 3)).toContain('because the input "test/**" is not what it was in #1');

    await gantry.push(project, { 'src/a.txt': 'two\n' });
    const both = await gantry.finished(project, 4);
    expect(stepsOf(both)).toEqual({ clone: 'passed', compile: 'passed', test: 'passed' });
    expect(await logOf(project, both, 'test')).toContain('two\nbuilt\nsecond\n');
    expect(await whyOf(project, 4)).toContain('because the result of step "compile" is not what it was in #3');

    // Back to what it was: what was kept then still holds.
    await gantry.push(project, { 'src/a.txt': 'one\n' });
    expect(stepsOf(await gantry.finished(project, 5))).toMatchObject({ compile: 'reused', test: 'reused' });

    await client('startPipeline', { params, body: { ignoresReuse: true }, idempotencyKey: 'without' });
    const without = await gantry.finished(project, 6);
    expect(stepsOf(without)).toEqual({ clone: 'passed', compile: 'passed', test: 'passed' });
    // The same step in the same surroundings: what it prints beyond the lines about reuse is the same.
    const plain = (log: string): string => log.replaceAll(/^(?:.*\breuse: .*)\n/gm, '');
    expect(plain(await logOf(project, without, 'test'))).toBe(plain(await logOf(project, part, 'test')));
    expect(await whyOf(project, 6)).toContain('reuses no results: who started the pipeline asked for none');

    await gantry.push(project, { 'README.md': 'of no concern either\n' }, 'main', ['gantry.no-reuse']);
    expect(stepsOf(await gantry.finished(project, 7))).toMatchObject({ compile: 'passed', test: 'passed' });

    await client('rerunPipeline', { params: { ...params, number: 5 }, body: { only: 'all' } });
    const rerun = await gantry.finished(project, 5);
    expect(stepsOf(rerun)).toEqual({ clone: 'passed', compile: 'passed', test: 'passed' });
    expect(await whyOf(project, 5)).toContain('because it was run again on purpose');

    const { items } = await client('listCaches', { params });
    expect(items.filter(({ kind }) => kind === 'step-result').map(({ key }) => key)).toContain(
      'reuse: build / compile',
    );
  });

  it('of a branch never reach the default branch', async () => {
    const project = 'poisoned-results';
    const params = { owner: 'admin', project };
    await gantry.createProject(project);
    await gantry.push(project, { '.gantry.yml': file, 'src/a.txt': 'one\n', 'test/t.txt': 'first\n' });
    await gantry.finished(project, 1);
    await gantry.push(project, { 'src/a.txt': 'of the branch\n' }, 'evil');
    expect(stepsOf(await gantry.finished(project, 2))).toMatchObject({ compile: 'passed' });
    await gantry.client('startPipeline', { params, body: { ref: 'evil' }, idempotencyKey: 'evil' });
    expect(stepsOf(await gantry.finished(project, 3))).toMatchObject({ compile: 'reused' });
    await gantry.push(project, { 'src/a.txt': 'of the branch\n' }, 'main');
    const main = await gantry.finished(project, 4);
    expect(stepsOf(main)).toMatchObject({ compile: 'passed', test: 'passed' });
  });

  it('give their pipeline the artifacts of before, and run again when those are gone', async () => {
    const project = 'with-artifacts';
    const { client } = gantry;
    await gantry.createProject(project);
    const text = `
kind: pipeline
name: build
steps:
- name: compile
  image: base/busybox
  commands: [mkdir dist, cp src/a.txt dist/app]
  artifacts: {name: dist, paths: [dist]}
  reuse: {inputs: [src]}
---
kind: pipeline
name: use
use: [dist]
depends_on: [build]
steps:
- {name: look, image: base/busybox, commands: [cat dist/app]}
`;
    await gantry.push(project, { '.gantry.yml': text, 'src/a.txt': 'kept\n' });
    const first = await gantry.finished(project, 1);
    expect(first.status, JSON.stringify(first)).toBe('passed');
    await gantry.push(project, { 'README.md': '1' });
    const second = await gantry.finished(project, 2);
    expect(second.status, JSON.stringify(second)).toBe('passed');
    expect(stepsOf(second)).toMatchObject({ compile: 'reused', look: 'passed' });
    expect(await logOf(project, second, 'look')).toContain('kept\n');
    const artifactsOf = async (number: number) =>
      (await client('listArtifacts', { params: { owner: 'admin', project, number } })).items;
    const [before, again] = [await artifactsOf(1), await artifactsOf(2)];
    expect(again.map(({ name, digest }) => [name, digest])).toEqual(before.map(({ name, digest }) => [name, digest]));

    const params = { owner: 'admin', project, number: 1, artifact: 'dist' };
    await client('deleteArtifact', { params });
    await gantry.push(project, { 'README.md': '2' });
    const third = await gantry.finished(project, 3);
    expect(third.status, JSON.stringify(third)).toBe('passed');
    expect(stepsOf(third)).toMatchObject({ compile: 'passed' });
    expect(await whyOf(project, 3)).toContain('the result that was kept of it is gone');
  });
});
