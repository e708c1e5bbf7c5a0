import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoConverter } from '../support/converter.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'files of other systems, unmodified, in real sandboxes';

const drone08 = `
workspace:
  base: /go
  path: src/shop
matrix:
  GREETING: [hello, 你好]
pipeline:
  build:
    image: base/busybox
    commands:
      - echo "$GREETING from $DRONE_BRANCH in $(pwd)" > greeting
  left:
    group: check
    image: base/busybox
    commands: [cat greeting]
  right:
    group: check
    image: base/busybox
    commands: ['echo "status $DRONE_BUILD_STATUS of \${DRONE_REPO_NAME}"']
  deploy:
    image: base/busybox
    commands: [echo deployed]
    when: {event: deployment, environment: production}
`;

const lint = `
when:
  - event: push
    branch: main
  - event: pull_request
steps:
  - name: check
    image: base/busybox
    environment: {MODES: [fast, 0644], TITLE: {from_secret: title}}
    commands:
      - echo "$CI_WORKFLOW_NAME $CI_COMMIT_BRANCH $MODES"
      - test -n "$TITLE"
`;
const release = `
depends_on: lint
when: {event: push, evaluate: 'CI_COMMIT_BRANCH == "main" && CI_REPO_NAME startsWith "sh"'}
steps:
  notes:
    image: base/busybox
    commands: [echo notes]
    when: {path: {include: ['docs/**'], on_empty: false}}
  publish:
    image: base/busybox
    commands: [echo published]
    when: {path: 'src/**'}
`;

const program = `
def main(ctx):
  return [workflow(name, ctx.build.branch) for name in ["fast", "slow"]]

def workflow(name, branch):
  say = {"name": "say", "image": "base/busybox", "commands": ["echo %s on %s" % (name, branch)]}
  return {"kind": "pipeline", "name": name, "steps": [say]}
`;

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  beforeAll(async () => {
    gantry = await GantryProcess.start({ runtime: 'sandbox' });
  });
  afterAll(() => gantry.dispose());

  it('of Drone 0.8: a matrix, groups and its variables', async () => {
    await gantry.createProject('old');
    await gantry.push('old', { '.drone.yml': drone08 });
    const pipeline = await gantry.finished('old', 1);
    expect(pipeline.status, JSON.stringify(pipeline)).toBe('passed');
    expect(pipeline.workflows.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'default (GREETING=hello) passed',
      'default (GREETING=你好) passed',
    ]);
    const chinese = pipeline.steps.filter(({ workflow }) => workflow.includes('你好'));
    expect(chinese.map(({ name, status, dependsOn }) => [name, status, dependsOn])).toEqual([
      ['clone', 'passed', []],
      ['build', 'passed', ['clone']],
      ['left', 'passed', ['build']],
      ['right', 'passed', ['build']],
      ['deploy', 'skipped', []],
    ]);
    expect(await gantry.log('old', 1, chinese[2]!.id)).toContain('你好 from main in /go/src/shop');
    expect(await gantry.log('old', 1, chinese[3]!.id)).toContain('status success of old');

    const promoted = await gantry.client('promotePipeline', {
      params: { owner: 'admin', project: 'old', number: 1 },
      body: { target: 'production', parameters: {} },
    });
    const { status, steps, target } = await gantry.finished('old', promoted.number);
    expect([status, target]).toEqual(['passed', 'production']);
    expect(steps.filter(({ name }) => name === 'deploy').map((step) => step.status)).toEqual(['passed', 'passed']);
  });

  it('of Woodpecker: a folder of workflows, alternatives, paths, expressions and secrets', async () => {
    await gantry.createProject('shop');
    await gantry.client('setSecret', {
      params: { owner: 'admin', project: 'shop', name: 'title' },
      body: { value: 'A title nobody sees' },
    });
    await gantry.push('shop', {
      '.woodpecker/lint.yml': lint,
      '.woodpecker/.release.yaml': release,
      'src/main.sh': 'echo',
    });
    await gantry.finished('shop', 1);
    await gantry.push('shop', { 'src/main.sh': 'echo again' });
    const pipeline = await gantry.finished('shop', 2);
    expect(pipeline.status, JSON.stringify(pipeline)).toBe('passed');
    expect(pipeline.steps.map(({ workflow, name, status }) => `${workflow}/${name} ${status}`)).toEqual([
      'release/clone passed',
      'release/notes skipped',
      'release/publish passed',
      'lint/clone passed',
      'lint/check passed',
    ]);
    const check = pipeline.steps.find(({ name }) => name === 'check')!;
    expect(await gantry.log('shop', 2, check.id)).toContain('lint main fast,420');
  });

  it.skipIf(whyNoConverter)('that are programs: Starlark asks for the branch, and writes two documents', async () => {
    await gantry.createProject('program');
    await gantry.push('program', { '.drone.star': program });
    const pipeline = await gantry.finished('program', 1);
    expect(pipeline.status, JSON.stringify(pipeline)).toBe('passed');
    expect(pipeline.steps.map(({ workflow, name }) => `${workflow}/${name}`)).toEqual([
      'fast/clone',
      'fast/say',
      'slow/clone',
      'slow/say',
    ]);
    expect(await gantry.log('program', 1, pipeline.steps[3]!.id)).toContain('slow on main');

    await gantry.push('program', { '.drone.star': 'def main(ctx):\n  return absent\n' });
    const failed = await gantry.finished('program', 2);
    expect(failed.error).toMatchObject({ message: 'Cannot run .drone.star: undefined: absent', line: 2 });
  });
});
