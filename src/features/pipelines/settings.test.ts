import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { droneFile, PipelinesWorld } from '../../../test/support/pipelines-world.ts';
import { namedSecrets, passed, ScriptedRunner } from '../../../test/support/scripted-runner.ts';
import { createPerson } from '../../../test/support/store-world.ts';
import { traceSentence } from '../../api/messages/trace-sentences.ts';
import type { OperationInput } from '../../api/operations.ts';
import type { Role } from '../../core/permission.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import type { PipelineSettings } from '../../core/pipeline-settings.ts';
import { environmentOfStep } from '../../core/plan.ts';

let world: PipelinesWorld;
afterEach(() => world.close());

const holding = { script: () => 'hold' as const };

async function configure(change: Partial<PipelineSettings>): Promise<void> {
  await world.store.write(async ({ projects }) => {
    const project = await projects.find(world.project.id);
    await projects.update({ ...project!, pipelines: { ...project!.pipelines, ...change } });
  });
}

/** Everything that is under way has arrived, as far as it can without time going by. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  await world.feature.settled();
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
}

async function why(pipeline: Pipeline): Promise<readonly string[]> {
  const [ofEvent, ofPipeline, steps] = await Promise.all([
    world.store.read.events.trace(pipeline.eventId),
    world.store.read.pipelines.trace(pipeline.id),
    world.store.read.pipelines.steps(pipeline.id),
  ]);
  const reasons = steps.flatMap(({ reason }) => reason ?? []);
  return [...ofEvent, ...ofPipeline, ...reasons].map((entry) => traceSentence(entry, 'en'));
}

describe('a secret with limits', () => {
  const deploying = (more: Record<string, unknown> = {}) =>
    droneFile({ build: { deploy: { environment: { KEY: { from_secret: 'deploy_key' } }, ...more } } });

  it.each([
    ['event', { events: ['tag'] }, 'secret "deploy_key" is not given to event push.'],
    ['branch', { branches: ['main', 'release/*'] }, 'secret "deploy_key" is not given to branch feature/x.'],
    ['image', { images: ['plugins/*'] }, 'secret "deploy_key" is not given to image base/busybox.'],
    ['kind of step', { isForPluginsOnly: true }, 'is not given to steps with commands or an environment of their own.'],
  ])('is as good as missing for another %s, and the trace says so', async (_, limits, sentence) => {
    world = await PipelinesWorld.create(deploying());
    world.secrets.set('deploy_key', 'canary-51');
    world.secretLimits.set('deploy_key', limits);
    const runner = world.connect(new ScriptedRunner());
    const pipeline = await world.pushed({ ref: 'refs/heads/feature/x' });
    expect((await world.until(pipeline)).status).toBe('passed');
    expect(runner.started.map(namedSecrets)).toEqual([{}]);
    const told = await why(pipeline);
    expect(told.filter((line) => line.includes('deploy_key'))).toEqual([expect.stringContaining(sentence)]);
  });

  it('reaches the steps that its limits allow', async () => {
    world = await PipelinesWorld.create(deploying({ image: 'registry.test:5000/tools/ship:2.1@sha256:ab' }));
    world.secrets.set('deploy_key', 'canary-52');
    world.secretLimits.set('deploy_key', { branches: ['release/*'], images: ['registry.test:5000/tools/*'] });
    const runner = world.connect(new ScriptedRunner());
    await world.until(await world.pushed({ ref: 'refs/heads/release/1' }));
    expect(runner.started.map(namedSecrets)).toEqual([{ KEY: 'canary-52' }]);
  });

  it('that is for plugins only is given to a step without commands, and not once the file adds to it', async () => {
    const step = (more: Record<string, unknown>) => ({
      commands: undefined,
      image: 'plugins/slack',
      settings: { token: { from_secret: 'deploy_key' } },
      ...more,
    });
    world = await PipelinesWorld.create(
      droneFile({
        build: { plain: step({}), armed: step({ environment: { LD_PRELOAD: '/drone/src/evil.so' } }) },
        armed: { entry: step({ entrypoint: ['env'] }) },
      }),
    );
    world.secrets.set('deploy_key', 'canary-53');
    world.secretLimits.set('deploy_key', { isForPluginsOnly: true });
    const runner = world.connect(new ScriptedRunner());
    await world.until(await world.pushed());
    expect(Object.fromEntries(runner.started.map((started) => [started.step, namedSecrets(started)]))).toEqual({
      plain: { PLUGIN_TOKEN: 'canary-53' },
      armed: {},
      entry: {},
    });
  });

  it('is judged when the step starts: who limits it meanwhile is heeded', async () => {
    world = await PipelinesWorld.create(
      droneFile({ build: { first: {}, deploy: { environment: { KEY: { from_secret: 'deploy_key' } } } } }),
    );
    world.secrets.set('deploy_key', 'canary-54');
    const runner = world.connect(
      new ScriptedRunner({
        onStarted: ({ step }) => {
          if (step === 'first') world.secretLimits.set('deploy_key', { branches: ['elsewhere'] });
        },
      }),
    );
    await world.until(await world.pushed());
    expect(runner.started.map((started) => [started.step, namedSecrets(started)])).toEqual([
      ['first', {}],
      ['deploy', {}],
    ]);
  });

  it('ends a pipeline of ours before its first step where the step must have it', async () => {
    world = await PipelinesWorld.create(undefined);
    world.files.set(world.project.id, { '.gantry.yml': deploying() });
    world.secrets.set('deploy_key', 'canary-55');
    world.secretLimits.set('deploy_key', { events: ['tag'] });
    const runner = world.connect(new ScriptedRunner());
    const pipeline = await world.pushed();
    expect((await world.until(pipeline)).status).toBe('failed');
    expect(runner.started).toEqual([]);
    expect(await why(pipeline)).toContain('Step "deploy": secret "deploy_key" is not given to event push.');
  });
});

describe('variables', () => {
  const set = (name: string, value: string) =>
    world.store.write(({ variables }) =>
      variables.set(
        { kind: 'project', id: world.project.id },
        { name, value, updatedAt: world.clock.now(), updatedBy: 'mei' },
      ),
    );
  const environmentOf = async (pipeline: Pipeline) => {
    const plan = (await world.store.read.pipelines.workflows(pipeline.id))[0]?.plan;
    return plan && environmentOfStep(plan, plan.steps.at(-1)!);
  };

  it('are in the environment of every step, below what the file says, and in the text of Drone files', async () => {
    world = await PipelinesWorld.create(
      droneFile({ build: { test: { environment: { REGION: 'file', FROM: '${STAGE}' } } } }),
    );
    await set('REGION', 'cn');
    await set('STAGE', 'dev');
    expect(await environmentOf(await world.pushed())).toMatchObject({ REGION: 'file', STAGE: 'dev', FROM: 'dev' });
  });

  it('of Woodpecker and Drone 0.8 files are in the environment alone', async () => {
    world = await PipelinesWorld.create(
      'pipeline: {test: {image: base/busybox, commands: [a], environment: ["FROM=${STAGE}"]}}',
    );
    await set('STAGE', 'dev');
    expect(await environmentOf(await world.pushed())).toMatchObject({ STAGE: 'dev', FROM: '' });
    world.files.set(world.project.id, {
      '.woodpecker.yml':
        'when: {event: push}\nskip_clone: true\nsteps: {test: {image: base/busybox, commands: [a], environment: {FROM: "x${STAGE}"}}}',
    });
    expect(await environmentOf(await world.pushed())).toMatchObject({ STAGE: 'dev', FROM: 'x' });
  });
});

describe('an event', () => {
  it('that is switched off leaves its reason and no pipeline; a start by hand is refused with it', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { test: {} } }));
    await configure({ disabledEvents: ['tag', 'manual'] });
    const event = await world.push({ kind: 'tag', ref: 'refs/tags/v1' });
    const { pipeline, trace } = await world.feature.planNow(event.id);
    expect(pipeline).toBeUndefined();
    expect(trace.map((entry) => traceSentence(entry, 'en'))).toEqual([
      'Nothing ran: the settings of the project have switched off the event "tag".',
    ]);
    expect((await world.pushed()).number).toBe(1);
    const start = world.feature.operations!.startPipeline!(
      { params: world.path, query: undefined, body: { parameters: {} } },
      world.request(),
    );
    await expect(start).rejects.toMatchObject({ code: 'EVENT_SWITCHED_OFF' });
  });
});

describe('the path of the pipeline file', () => {
  it('wins over the usual places; what is there says its dialect, and a missing file is named', async () => {
    world = await PipelinesWorld.create(undefined);
    const step = (name: string) => `{name: ${name}, image: base/busybox, commands: [a]}`;
    world.files.set(world.project.id, {
      '.drone.yml': droneFile({ build: { usual: {} } }),
      'ci/build.yml': `kind: pipeline\nname: own\nclone: {disable: true}\nsteps: [${step('own')}]\n`,
      'ci/drone.yml': droneFile({ build: { drone: {} } }),
      'ci/old.yml': 'pipeline: {old: {image: base/busybox, commands: [a]}}',
      'ci/wood/a.yml': `steps: [${step('a')}]\nskip_clone: true`,
      'ci/wood/b.yaml': `steps: [${step('b')}]\nskip_clone: true`,
      'ci/wood/deep/c.yml': `steps: [${step('c')}]`,
    });
    const seen: unknown[] = [];
    for (const path of [undefined, 'ci/build.yml', 'ci/drone.yml', 'ci/old.yml', 'ci/wood/']) {
      await configure({ path });
      const pipeline = await world.pushed();
      const workflows = await world.store.read.pipelines.workflows(pipeline.id);
      const steps = workflows.flatMap(({ plan }) => plan.steps.filter(({ kind }) => kind !== 'clone'));
      seen.push([pipeline.path, pipeline.dialect, steps.map(({ name }) => name)]);
    }
    expect(seen).toEqual([
      ['.drone.yml', 'drone1', ['usual']],
      ['ci/build.yml', 'gantry', ['own']],
      ['ci/drone.yml', 'drone1', ['drone']],
      ['ci/old.yml', 'drone08', ['old']],
      ['ci/wood/a.yml', 'woodpecker', ['a', 'b']],
    ]);
    await configure({ path: 'ci/gone.yml' });
    const { trace } = await world.feature.planNow((await world.push()).id);
    expect(trace.map((entry) => traceSentence(entry, 'en'))).toEqual([
      'Nothing ran: the commit has no pipeline file (looked for ci/gone.yml).',
    ]);
  });
});

describe('a newer pipeline', () => {
  it('cancels older ones of its event and branch where the project wants that, and they say for which', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { test: {} } }));
    await configure({ supersedingEvents: ['push'] });
    const runner = world.connect(new ScriptedRunner({ ...holding, slots: 1 }));
    const running = await world.pushed();
    await runner.until(() => runner.running.includes('test'));
    const other = await world.pushed({ ref: 'refs/heads/other' });
    const newer = await world.pushed();
    expect((await world.until(running)).status).toBe('cancelled');
    expect((await world.step(running, 'test')).reason).toMatchObject({ rule: 'step.cancelled', values: { by: '#3' } });
    expect(await why(running)).toContain('Workflow "build" was cancelled: pipeline #3 is newer on refs/heads/main.');
    await quiet();
    for (const pipeline of [other, newer])
      expect((await world.store.read.pipelines.find(pipeline.id))?.status).not.toBe('cancelled');
  });

  it('leaves them alone by default', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { test: {} } }));
    const runner = world.connect(new ScriptedRunner(holding));
    await world.pushed();
    await world.pushed();
    await runner.until(() => runner.running.length === 2);
  });

  it('cancels them also when the server died before it could', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { test: {} } }));
    const older = await world.pushed();
    await world.pushed();
    await configure({ supersedingEvents: ['push'] });
    await quiet();
    world.abandon();
    await world.feature.start();
    expect((await world.until(older)).status).toBe('cancelled');
    expect(await why(older)).toContain('Workflow "build" was cancelled: pipeline #2 is newer on refs/heads/main.');
  });
});

describe('the time limit of a pipeline', () => {
  it('counts from its first step, cancels it when it is over, and says so', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { test: {} } }), { leaseMs: 600_000 });
    await configure({ timeoutMs: 60_000 });
    const pipeline = await world.pushed();
    await quiet();
    await world.clock.advanceBy(120_000);
    const runner = world.connect(new ScriptedRunner(holding));
    await runner.until(() => runner.running.includes('test'));
    await world.clock.advanceBy(50_000);
    await quiet();
    expect(runner.running).toEqual(['test']);
    await world.clock.advanceBy(9_000);
    await quiet();
    expect(runner.running).toEqual(['test']);
    // To the second: nobody waits for the next look.
    await world.clock.advanceBy(1_000);
    expect((await world.until(pipeline)).status).toBe('cancelled');
    expect(await why(pipeline)).toEqual(
      expect.arrayContaining([
        'Workflow "build" timed out: a pipeline of this project may run for 60 s.',
        'Step "test" was cancelled: the pipeline timed out after 60 s, the limit of this project.',
      ]),
    );
  });
});

describe('a login of a registry', () => {
  it('goes to the runner with the workflow, and its password is masked whoever prints it', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { test: {} } }));
    world.registries.push({ registry: 'registry.test', username: 'robot', password: 'canary-61-pull' });
    const runner = world.connect(new ScriptedRunner());
    await world.until(await world.pushed());
    expect(runner.assignments.map(({ registries }) => registries)).toEqual([world.registries]);
  });
});

describe('a promotion', () => {
  const shipping = droneFile({ build: { test: {} } });
  const promote = async (target: string, role: Role, more: Record<string, unknown> = {}) => {
    const person = await createPerson(world.store, `p-${role}-${target}`);
    await world.store.write(({ projects }) => projects.setRole(world.project.id, person.id, role));
    const { actor } = world.request();
    return world.feature.operations!.promotePipeline!(
      {
        params: { ...world.path, number: 1 },
        query: undefined,
        body: { event: 'promote', parameters: {}, target, ...more } as never,
      },
      world.request({ actor: { ...actor, person } as typeof actor }),
    );
  };

  it('towards a target with a rule needs its role; of several rules the highest, and of none any', async () => {
    world = await PipelinesWorld.create(shipping);
    world.connect(new ScriptedRunner({ script: () => passed }));
    await configure({
      promotionRules: [
        { target: 'prod*', role: 'maintain' },
        { target: 'production', role: 'admin' },
      ],
    });
    await world.until(await world.pushed());
    await expect(promote('production', 'maintain')).rejects.toMatchObject({
      code: 'ACCESS_DENIED',
      message:
        'Cannot promote pipeline 1 of mei/shop: the target "production" needs the role "admin", and yours is "maintain"',
    });
    await expect(promote('prod-eu', 'write')).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
    await expect(promote('production', 'write', { event: 'rollback' })).rejects.toMatchObject({
      code: 'ACCESS_DENIED',
    });
    expect((await promote('prod-eu', 'maintain')).target).toBe('prod-eu');
    expect((await promote('staging', 'write')).target).toBe('staging');
    expect((await promote('production', 'admin')).target).toBe('production');
  });

  it('is offered the targets that the file names, wherever it is, with the role that each takes', async () => {
    const to = (target: string): Record<string, unknown> => ({ when: { target } });
    world = await PipelinesWorld.create(
      droneFile({ build: { test: {}, dev: to('staging'), eu: to('eu-*'), live: to('production') } }),
    );
    world.connect(new ScriptedRunner({ script: () => passed }));
    await configure({ promotionRules: [{ target: 'prod*', role: 'maintain' }] });
    await world.until(await world.pushed());
    const input = { params: { ...world.path, number: 1 }, query: undefined, body: undefined };
    const offered = () =>
      world.feature.operations!.listPromotionTargets!(input as OperationInput<'listPromotionTargets'>, world.request());
    expect(await offered()).toEqual({
      items: [
        { name: 'staging', role: null },
        { name: 'production', role: 'maintain' },
      ],
    });

    const woodpecker = 'steps: [{name: a, image: a, commands: [a], when: {event: deployment, environment: live}}]';
    world.files.set(world.project.id, { 'woodpecker-ci.yml': woodpecker, '.gantry.yml': 'when: {target: other}' });
    await configure({ path: 'woodpecker-ci.yml' });
    expect(await offered()).toEqual({ items: [{ name: 'live', role: null }] });

    world.files.set(world.project.id, {});
    expect(await offered()).toEqual({ items: [] });
  });

  it('that was allowed is asked about again at each rerun', async () => {
    world = await PipelinesWorld.create(shipping);
    world.connect(new ScriptedRunner({ script: () => passed }));
    await world.until(await world.pushed());
    const { number } = await promote('production', 'write');
    const promoted = await world.store.read.pipelines.findByNumber(world.project.id, number);
    await world.until(promoted!);
    await configure({ promotionRules: [{ target: 'production', role: 'admin' }] });
    const person = await createPerson(world.store, 'li');
    await world.store.write(({ projects }) => projects.setRole(world.project.id, person.id, 'write'));
    const { actor } = world.request();
    const refused: string[] = [];
    const request = world.request({
      actor: { ...actor, person } as typeof actor,
      noteRefusal: (action, subject) => {
        refused.push(`${action} ${subject}`);
        return Promise.resolve();
      },
    });
    for (const body of [{ only: 'all' as const }, { parameters: { REASON: 'again' } }]) {
      const params = { ...world.path, number };
      const rerun = world.feature.operations!.rerunPipeline!({ params, query: undefined, body }, request);
      await expect(rerun).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
    }
    expect(refused).toEqual(['pipeline:promote:refused mei/shop', 'pipeline:promote:refused mei/shop']);
  });
});
