import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { droneFile, noCommit, PipelinesWorld } from '../../../test/support/pipelines-world.ts';
import { failed, namedSecrets, passed, ScriptedRunner } from '../../../test/support/scripted-runner.ts';
import type { Happening } from '../../core/events.ts';
import { environmentOfStep } from '../../core/plan.ts';

let world: PipelinesWorld;
afterEach(() => world.close());

const held = (...names: string[]) => ({
  script: (step: string) => (names.includes(step) || names.length === 0 ? ('hold' as const) : passed),
});

/** Everything that is under way has arrived, as far as it can without time going by. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  await world.feature.settled();
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
}

describe('a push', () => {
  it('becomes a pipeline that runs its steps in order and passes, with its logs whole', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { compile: {}, test: {}, pack: {} } }));
    const runner = world.connect(new ScriptedRunner());
    const pipeline = await world.pushed();
    const end = await world.until(pipeline);
    expect(end.status).toBe('passed');
    expect(runner.started.map(({ step }) => step)).toEqual(['compile', 'test', 'pack']);
    expect(await world.steps(pipeline)).toEqual({ compile: 'passed', test: 'passed', pack: 'passed' });
    expect(await world.log(await world.step(pipeline, 'test'))).toBe('test says hello\n');
    expect(end.startedAt && end.finishedAt).toBeTruthy();
    expect(await world.feature.reconcile()).toEqual([]);
  });

  it('keeps what a build pushed in the record of its step, without the secrets in its name', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { image: {} } }));
    world.secrets.set('team', 'hidden-team');
    const digest = `sha256:${'ab'.repeat(32)}`;
    const pushed = [{ name: 'r.example/hidden-team/app:1', digest }];
    world.connect(new ScriptedRunner({ script: () => ({ kind: 'exited', exitCode: 0, pushed }) }));
    const pipeline = await world.pushed();
    await world.until(pipeline);
    expect((await world.step(pipeline, 'image')).outcome).toEqual({
      kind: 'exited',
      exitCode: 0,
      pushed: [{ name: 'r.example/******/app:1', digest }],
    });
  });

  it('gets from its event to a running step without any time going by', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { compile: {} } }));
    const runner = world.connect(new ScriptedRunner(held()));
    await quiet();
    const before = world.clock.monotonicMs();
    await world.push();
    await runner.until(() => runner.running.includes('compile'));
    expect(world.clock.monotonicMs()).toBe(before);
  });

  it('fails when a step fails, skips the rest with the reason, and runs dependants on failure', async () => {
    world = await PipelinesWorld.create(
      droneFile(
        { build: { compile: {}, test: {} }, deploy: { go: {} }, mail: { send: {} } },
        { deploy: { depends_on: ['build'] }, mail: { depends_on: ['build'], trigger: { status: ['failure'] } } },
      ),
    );
    const runner = world.connect(
      new ScriptedRunner({ script: (step) => (step === 'compile' ? failed : { kind: 'exited', exitCode: 0 }) }),
    );
    const pipeline = await world.pushed();
    expect((await world.until(pipeline)).status).toBe('failed');
    expect(await world.steps(pipeline)).toEqual({
      'build/compile': 'failed',
      'build/test': 'skipped',
      'deploy/go': 'skipped',
      'mail/send': 'passed',
    });
    expect((await world.step(pipeline, 'go')).reason).toMatchObject({
      rule: 'workflow.dependency-failed',
      values: { workflow: 'build', status: 'failed' },
    });
    const mail = runner.started.find(({ step }) => step === 'send');
    expect(mail?.environment).toMatchObject({ DRONE_BUILD_STATUS: 'failure', DRONE_FAILED_STAGES: 'build' });
  });

  it('judges a workflow of Woodpecker by what it waits for, skipped ones too', async () => {
    const workflow = (more: object, step = 's'): string =>
      JSON.stringify({
        skip_clone: true,
        when: { event: 'push' },
        steps: [{ name: step, image: 'base/busybox', commands: ['true'] }],
        ...more,
      });
    world = await PipelinesWorld.create(undefined);
    world.files.set(world.project.id, {
      '.woodpecker/broken.yml': workflow({}, 'broken'),
      '.woodpecker/after.yml': workflow({ depends_on: ['broken'] }),
      '.woodpecker/further.yml': workflow({ depends_on: ['after'] }),
      '.woodpecker/mail.yml': workflow({ depends_on: ['after'], runs_on: ['failure'] }),
      '.woodpecker/apart.yml': workflow({}),
      '.woodpecker/tidy.yml': workflow({ depends_on: ['apart'], runs_on: ['success', 'failure'] }),
      '.woodpecker/gone.yml': workflow({ when: { event: 'tag' } }),
      '.woodpecker/needs-gone.yml': workflow({ depends_on: ['gone'] }),
    });
    world.connect(new ScriptedRunner({ script: (step) => ({ kind: 'exited', exitCode: step === 'broken' ? 1 : 0 }) }));
    const pipeline = await world.pushed();
    expect((await world.until(pipeline)).status).toBe('failed');
    const workflows = await world.store.read.pipelines.workflows(pipeline.id);
    expect(Object.fromEntries(workflows.map(({ name, status }) => [name, status]))).toEqual({
      broken: 'failed',
      after: 'skipped',
      further: 'skipped',
      mail: 'passed',
      apart: 'passed',
      tidy: 'passed',
    });
  });

  it('starts exactly one pipeline, however often its event is planned', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { compile: {} } }));
    const event = await world.push();
    const all = await Promise.all(Array.from({ length: 20 }, () => world.feature.planNow(event.id)));
    expect(new Set(all.map(({ pipeline }) => pipeline?.number))).toEqual(new Set([1]));
    expect(world.compiled).toEqual(['shop#1']);
  });

  it('numbers the pipelines of a project without a gap, also when many are pushed at once', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { compile: {} } }));
    world.connect(new ScriptedRunner());
    const events = await Promise.all(Array.from({ length: 25 }, () => world.push()));
    const pipelines = await Promise.all(events.map((event) => world.planned(event)));
    expect(pipelines.map(({ number }) => number)).toEqual(Array.from({ length: 25 }, (_, at) => at + 1));
    for (const pipeline of pipelines) await world.until(pipeline);
  });

  it('leaves a trace and no pipeline when it deletes a branch or nothing matches', async () => {
    world = await PipelinesWorld.create(
      droneFile({ build: { compile: {} } }, { build: { trigger: { branch: ['release'] } } }),
    );
    const deleted = await world.push({ after: noCommit });
    const unmatched = await world.push();
    expect((await world.feature.planNow(deleted.id)).trace).toMatchObject([{ rule: 'event.deleted-ref' }]);
    const { pipeline, trace } = await world.feature.planNow(unmatched.id);
    expect(pipeline).toBeUndefined();
    expect(trace.map(({ rule }) => rule)).toEqual(expect.arrayContaining(['trigger.branch', 'event.nothing-matched']));
    const { items } = await world.feature.operations!.listEvents!(
      { params: world.path, query: undefined, body: undefined },
      world.request(),
    );
    expect(items[0]).toMatchObject({ pipeline: null, ref: 'refs/heads/main' });
    expect(items[0]!.why.map(({ sentence }) => sentence)).toContain(
      'Workflow "build" was skipped: its trigger wants the branch "release", and this is "main".',
    );
  });

  it('makes a failed pipeline with the error at its line when its file does not compile', async () => {
    world = await PipelinesWorld.create('kind: pipeline\nname: a\nsteps:\n  - name: x\n    commands: [true]\n');
    const pipeline = await world.pushed();
    expect(pipeline).toMatchObject({ status: 'failed', number: 1 });
    expect(pipeline.error?.line).toBeGreaterThan(1);
  });

  it('passes with nothing to do when every step is filtered out, without a runner', async () => {
    world = await PipelinesWorld.create(
      droneFile({ build: { compile: { when: { branch: ['release'] } } } }, { build: { clone: {} } }),
    );
    const pipeline = await world.pushed();
    expect((await world.until(pipeline)).status).toBe('passed');
    expect(await world.steps(pipeline)).toEqual({ clone: 'skipped', compile: 'skipped' });
  });

  it('gives a step the secrets it names, and the runner everything that is to be masked', async () => {
    world = await PipelinesWorld.create(
      droneFile({ build: { deploy: { environment: { PASSWORD: { from_secret: 'db' } } }, other: {} } }),
    );
    world.secrets.set('db', 'hunter2').set('unused', 'tangerine');
    const runner = world.connect(new ScriptedRunner());
    await world.until(await world.pushed());
    expect(runner.started.map(namedSecrets)).toEqual([{ PASSWORD: 'hunter2' }, {}]);
    expect(runner.started[1]?.mask.slice(0, 2)).toEqual(['hunter2', 'tangerine']);
  });

  it('fails before its first step when a secret is missing that must be there, and says which', async () => {
    world = await PipelinesWorld.create(undefined);
    const file = droneFile({
      build: { compile: {}, deploy: { environment: { PASSWORD: { from_secret: 'db' } }, failure: 'ignore' } },
    });
    world.files.set(world.project.id, { '.gantry.yml': file });
    const runner = world.connect(new ScriptedRunner());
    const pipeline = await world.pushed();
    expect((await world.until(pipeline)).status).toBe('failed');
    expect(runner.started).toEqual([]);
    expect(await world.steps(pipeline)).toEqual({ compile: 'failed', deploy: 'skipped' });
    expect((await world.step(pipeline, 'compile')).reason).toMatchObject({
      rule: 'step.secret-missing',
      values: { secret: 'db' },
    });
  });

  it('tells its story in order: nothing is told that is not on disk', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { compile: {} } }));
    world.connect(new ScriptedRunner());
    const told: string[] = [];
    const leave = world.store.happenings.subscribe(({ happening }) => told.push(wordOf(happening)));
    await world.until(await world.pushed());
    leave();
    expect(told).toEqual([
      'push-received',
      'pipeline-changed queued',
      'event-planned',
      'workflow-changed claimed',
      'pipeline-changed running',
      'workflow-changed running',
      'step-changed running',
      'step-changed passed',
      'workflow-changed passed',
      'pipeline-changed passed',
    ]);
  });
});

function wordOf(happening: Happening): string {
  return 'status' in happening ? `${happening.type} ${happening.status}` : happening.type;
}

describe('a manual start', () => {
  const start = (key: string | undefined, ref?: string) =>
    world.feature.operations!.startPipeline!(
      { params: world.path, query: undefined, body: { parameters: {}, ...(ref ? { ref } : {}) } },
      world.request({ idempotencyKey: key }),
    );

  it('makes one pipeline of a hundred equal requests with one key', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { compile: {} } }));
    const answers = await Promise.all(Array.from({ length: 100 }, () => start('same')));
    expect(new Set(answers.map(({ number }) => number))).toEqual(new Set([1]));
    expect((await world.store.read.pipelines.list(world.project.id, { limit: 10 })).items).toHaveLength(1);
    expect((await start('other')).number).toBe(2);
    expect((await start(undefined)).number).toBe(3);
  });

  it('is refused for a branch that is not there, without a file, and when nothing matches', async () => {
    world = await PipelinesWorld.create(undefined);
    await expect(start(undefined, 'nowhere')).rejects.toMatchObject({ code: 'REF_NOT_FOUND' });
    await expect(start(undefined)).rejects.toMatchObject({ code: 'PIPELINE_FILE_MISSING' });
    const file = droneFile({ build: { compile: {} } }, { build: { trigger: { event: ['tag'] } } });
    world.files.set(world.project.id, { '.drone.yml': file });
    await expect(start(undefined)).rejects.toMatchObject({ code: 'NO_PIPELINE_MATCHED' });
  });
});

describe('a promotion', () => {
  const file = droneFile(
    { build: { compile: {} }, ship: { go: {}, other: { when: { target: ['staging'] } } } },
    {
      build: { trigger: { event: ['push'] } },
      ship: { trigger: { event: ['promote', 'rollback'], target: { exclude: ['forbidden'] } } },
    },
  );
  const promote = (
    number: number,
    body: { target: string; event?: 'promote' | 'rollback'; parameters?: Record<string, string> },
    key?: string,
  ) =>
    world.feature.operations!.promotePipeline!(
      {
        params: { ...world.path, number },
        query: undefined,
        body: { event: 'promote', parameters: {}, ...body },
      },
      world.request({ idempotencyKey: key }),
    );

  it('runs the same commit once more, what the file says for its target', async () => {
    world = await PipelinesWorld.create(file);
    const runner = new ScriptedRunner();
    world.connect(runner);
    const first = await world.pushed();
    await world.until(first);
    const promoted = await promote(1, { target: 'production', parameters: { REASON: 'release day' } });
    expect(promoted).toMatchObject({
      number: 2,
      event: 'promote',
      target: 'production',
      parent: 1,
      commit: first.commit,
      branch: 'main',
    });
    const stored = (await world.store.read.pipelines.findByNumber(world.project.id, 2))!;
    await world.until(stored);
    const [ship] = await world.store.read.pipelines.workflows(stored.id);
    const go = ship!.plan.steps.find(({ name }) => name === 'go')!;
    expect(environmentOfStep(ship!.plan, go)).toMatchObject({
      DRONE_BUILD_EVENT: 'promote',
      DRONE_DEPLOY_TO: 'production',
      DRONE_BUILD_PARENT: '1',
      GANTRY_TARGET: 'production',
      REASON: 'release day',
    });
    expect(runner.started.map(({ step }) => step)).not.toContain('other');
  });

  it('hands its parameters on to the next one, and goes back as a rollback', async () => {
    world = await PipelinesWorld.create(file);
    world.connect(new ScriptedRunner());
    await world.until(await world.pushed());
    await promote(1, { target: 'staging', parameters: { A: '1', B: '1' } });
    const back = await promote(2, { target: 'production', event: 'rollback', parameters: { B: '2' } });
    expect(back).toMatchObject({ number: 3, event: 'rollback', parent: 2 });
    const stored = await world.store.read.pipelines.findByNumber(world.project.id, 3);
    expect(stored).toMatchObject({ parameters: { A: '1', B: '2' }, target: 'production', parentNumber: 2 });
  });

  it('is one for one key, and refused without a trigger, a pipeline, or a project that may be changed', async () => {
    world = await PipelinesWorld.create(file);
    world.connect(new ScriptedRunner());
    await world.until(await world.pushed());
    const numbers = await Promise.all(Array.from({ length: 20 }, () => promote(1, { target: 'production' }, 'same')));
    expect(new Set(numbers.map(({ number }) => number))).toEqual(new Set([2]));
    await expect(promote(1, { target: 'forbidden' })).rejects.toMatchObject({
      code: 'NO_PIPELINE_MATCHED',
      message: expect.stringMatching(
        /^Cannot promote pipeline 1 of \S+: no trigger matches a promotion to "forbidden"$/,
      ),
    });
    await expect(promote(99, { target: 'production' })).rejects.toMatchObject({ code: 'PIPELINE_NOT_FOUND' });
  });
});

describe('dispatch', () => {
  it('takes turns between projects, whoever pushed more', async () => {
    world = await PipelinesWorld.create(droneFile({ a: { step: {} } }));
    const other = await world.addProject('other', droneFile({ b: { step: {} } }));
    const pipelines = [];
    for (let at = 0; at < 4; at += 1) pipelines.push(await world.pushed());
    for (let at = 0; at < 2; at += 1) pipelines.push(await world.pushed({ project: other }));
    const runner = world.connect(new ScriptedRunner({ slots: 1 }));
    for (const pipeline of pipelines) await world.until(pipeline);
    const order = await Promise.all(
      runner.assigned.map(async ({ workflowId }) => (await world.store.read.pipelines.findWorkflow(workflowId))!.name),
    );
    expect(order.join('')).toBe('ababaa');
  });

  it('never runs more steps than a runner has slots, and goes on when one is free', async () => {
    world = await PipelinesWorld.create(
      droneFile({
        build: { a: {}, b: { depends_on: ['clone'] }, c: { depends_on: ['clone'] }, d: { depends_on: ['clone'] } },
      }),
    );
    const runner = world.connect(new ScriptedRunner({ slots: 2, ...held() }));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.length === 2);
    await quiet();
    expect(runner.running).toHaveLength(2);
    runner.end(runner.running[0]!);
    await runner.until(() => runner.started.length === 3);
    for (let ended = 1; ended < 4; ended += 1) {
      await runner.until(() => runner.running.length > 0 && runner.started.length >= Math.min(4, ended + 2));
      runner.end(runner.running[0]!);
    }
    expect((await world.until(pipeline)).status).toBe('passed');
  });

  it('never runs more steps than the configuration allows, over all runners', async () => {
    world = await PipelinesWorld.create(droneFile({ a: { one: {} }, b: { two: {} }, c: { three: {} } }), {
      runningStepsLimit: 2,
    });
    const first = world.connect(new ScriptedRunner({ id: 'r1', ...held() }));
    const second = world.connect(new ScriptedRunner({ id: 'r2', ...held() }));
    const pipeline = await world.pushed();
    await first.until(() => first.running.length === 1);
    await second.until(() => second.running.length === 1);
    await quiet();
    expect(first.running.length + second.running.length).toBe(2);
    first.end(first.running[0]!);
    const areTwo = (): boolean => first.running.length + second.running.length === 2;
    await Promise.race([first.until(areTwo), second.until(areTwo)]);
    for (const runner of [first, second]) for (const step of runner.running) runner.end(step);
    expect((await world.until(pipeline)).status).toBe('passed');
  });

  it('says what a workflow waits for, and how many are ahead', async () => {
    world = await PipelinesWorld.create(
      droneFile({ build: { one: {} }, deploy: { two: {} } }, { deploy: { depends_on: ['build'] } }),
    );
    const pipeline = await world.pushed();
    await world.pushed();
    const detail = await world.feature.operations!.getPipeline!(
      { params: { ...world.path, number: 2 }, query: undefined, body: undefined },
      world.request(),
    );
    expect(detail.workflows.map(({ waitsFor }) => waitsFor)).toEqual([
      'Workflow "build" waits for a runner: none is connected.',
      'Workflow "deploy" waits for build.',
    ]);
    expect(pipeline.status).toBe('queued');
  });

  it('says how many slots are taken, and how many workflows are ahead', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { one: {} } }));
    const runner = world.connect(new ScriptedRunner({ slots: 1, script: () => 'hold' }));
    await world.pushed();
    await runner.until(() => runner.running.length === 1);
    await world.pushed();
    await world.pushed();
    const detail = await world.feature.operations!.getPipeline!(
      { params: { ...world.path, number: 3 }, query: undefined, body: undefined },
      world.request(),
    );
    expect(detail.workflows.map(({ waitsFor }) => waitsFor)).toEqual([
      'Workflow "build" waits for a slot: 1 of 1 are taken, 1 ahead of it.',
    ]);
  });
});

describe('cancel', () => {
  const cancel = (number = 1) =>
    world.feature.operations!.cancelPipeline!(
      { params: { ...world.path, number }, query: undefined, body: undefined },
      world.request(),
    );

  it('ends at once what nobody holds', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { a: {}, b: {} } }));
    const pipeline = await world.pushed();
    expect((await cancel()).status).toBe('cancelled');
    expect(await world.steps(pipeline)).toEqual({ a: 'cancelled', b: 'cancelled' });
    await expect(cancel()).rejects.toMatchObject({ code: 'PIPELINE_ALREADY_FINISHED' });
    await expect(cancel(9)).rejects.toMatchObject({ code: 'PIPELINE_NOT_FOUND' });
  });

  it('stops what runs, starts nothing more, and ends cancelled', async () => {
    world = await PipelinesWorld.create(
      droneFile(
        { build: { a: {}, b: {}, tidy: { when: { status: ['success', 'failure'] } } }, deploy: { c: {} } },
        { deploy: { depends_on: ['build'] } },
      ),
    );
    const runner = world.connect(new ScriptedRunner(held()));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('a'));
    await cancel();
    expect((await world.until(pipeline)).status).toBe('cancelled');
    expect(runner.cancelled).toEqual(['a']);
    expect(runner.started).toHaveLength(1);
    expect(Object.values(await world.steps(pipeline))).toEqual(['cancelled', 'cancelled', 'cancelled', 'cancelled']);
    expect((await world.step(pipeline, 'b')).reason).toMatchObject({ rule: 'step.cancelled', values: { by: 'mei' } });
  });

  it('is what a report of a failure finds that comes in between', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { a: {} } }));
    const runner = world.connect(new ScriptedRunner(held()));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('a'));
    const cancelling = cancel();
    runner.end('a', failed);
    await cancelling;
    expect((await world.until(pipeline)).status).toBe('cancelled');
    expect(await world.step(pipeline, 'a')).toMatchObject({ status: 'cancelled', outcome: failed });
  });

  it('reaches a runner that was away when it calls again', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { a: {} } }));
    const runner = world.connect(new ScriptedRunner(held()));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('a'));
    runner.disconnect();
    await quiet();
    await cancel();
    world.connect(runner);
    expect((await world.until(pipeline)).status).toBe('cancelled');
  });
});

describe('rerun', () => {
  const rerun = (only: 'all' | 'failed') =>
    world.feature.operations!.rerunPipeline!(
      { params: { ...world.path, number: 1 }, query: undefined, body: { only } },
      world.request(),
    );

  it('makes a new attempt of the workflows that did not pass, whole, in the same pipeline', async () => {
    world = await PipelinesWorld.create(
      droneFile(
        { good: { a: {} }, bad: { b: {}, c: {} }, after: { d: {} } },
        { after: { depends_on: ['good', 'bad'] } },
      ),
    );
    const runner = world.connect(
      new ScriptedRunner({ script: (step, _, attempt) => (step === 'c' && attempt === 1 ? failed : passed) }),
    );
    const pipeline = await world.pushed();
    expect((await world.until(pipeline)).status).toBe('failed');
    await world.clock.advanceBy(2_000);
    const again = await rerun('failed');
    expect(again).toMatchObject({ number: 1, status: 'running', finishedAt: null });
    // How long it takes counts from here.
    expect(again).toMatchObject({ startedAt: world.clock.now().toISOString() });
    await expect(rerun('failed')).rejects.toMatchObject({ code: 'PIPELINE_NOT_FINISHED' });
    expect((await world.until(pipeline)).status).toBe('passed');
    expect(runner.started.map(({ step, attempt }) => `${step}${attempt}`).toSorted()).toEqual([
      'a1',
      'b1',
      'b2',
      'c1',
      'c2',
      'd2',
    ]);
    await expect(rerun('failed')).rejects.toMatchObject({ code: 'NOTHING_TO_RERUN' });
    const { items } = await world.feature.operations!.listStepAttempts!(
      { params: { ...world.path, number: 1 }, query: undefined, body: undefined },
      world.request(),
    );
    expect(items.map(({ name, attempt, status }) => `${name}${attempt} ${status}`)).toEqual([
      'a1 passed',
      'b1 passed',
      'c1 failed',
      'b2 passed',
      'c2 passed',
      'd1 skipped',
      'd2 passed',
    ]);
  });

  it('runs everything again when asked for all, and can be cancelled', async () => {
    world = await PipelinesWorld.create(droneFile({ good: { a: {} } }));
    const runner = world.connect(new ScriptedRunner({ script: (_, __, attempt) => (attempt === 1 ? passed : 'hold') }));
    const pipeline = await world.pushed();
    await world.until(pipeline);
    await rerun('all');
    await runner.until(() => runner.running.includes('a'));
    await world.feature.operations!.cancelPipeline!(
      { params: { ...world.path, number: 1 }, query: undefined, body: undefined },
      world.request(),
    );
    expect((await world.until(pipeline)).status).toBe('cancelled');
  });
});

describe('why', () => {
  it('tells every decision as a sentence: the file, the trigger, what was skipped and by which rule', async () => {
    world = await PipelinesWorld.create(
      droneFile({
        build: { compile: {}, publish: { when: { branch: ['release'] } }, test: {} },
      }),
    );
    world.connect(new ScriptedRunner({ script: (step) => (step === 'compile' ? failed : passed) }));
    await world.until(await world.pushed());
    const why = async (language: 'en' | 'zh'): Promise<readonly string[]> => {
      const { items } = await world.feature.operations!.explainPipeline!(
        { params: { ...world.path, number: 1 }, query: undefined, body: undefined },
        world.request({ language }),
      );
      return items.map(({ sentence }) => sentence);
    };
    const english = await why('en');
    expect(english).toEqual(
      expect.arrayContaining([
        'The pipeline file is .drone.yml.',
        'Workflow "build" was triggered.',
        'Step "publish" was skipped: it wants the branch "release", and this is "main".',
        'Workflow "build" was taken by the runner r1.',
        'Step "test" was skipped: "compile" had failed.',
      ]),
    );
    expect(new Set(english).size).toBe(english.length);
    expect(await why('zh')).toContain('步骤“test”已跳过：步骤“compile”已失败。');
  });

  it('shows a document that no runner takes as blocked, with its reason, while the others run', async () => {
    world = await PipelinesWorld.create(
      droneFile({ build: { compile: {} }, cluster: { go: {} } }, { cluster: { type: 'ssh' } }),
    );
    world.connect(new ScriptedRunner());
    const pipeline = await world.pushed();
    await world.until(pipeline, ({ status }) => status === 'blocked');
    const detail = await world.feature.operations!.getPipeline!(
      { params: { ...world.path, number: 1 }, query: undefined, body: undefined },
      world.request(),
    );
    expect(detail.workflows).toMatchObject([
      { name: 'build', status: 'passed', waitsFor: null },
      { name: 'cluster', status: 'blocked', waitsFor: 'Workflow "cluster" is blocked: no runner can take it (ssh).' },
    ]);
    await world.feature.operations!.cancelPipeline!(
      { params: { ...world.path, number: 1 }, query: undefined, body: undefined },
      world.request(),
    );
    expect((await world.until(pipeline)).status).toBe('cancelled');
  });
});

describe('a cancel at any moment', () => {
  it('ends fifty pipelines cancelled, each cancelled one turn later, and leaves nothing behind', async () => {
    world = await PipelinesWorld.create(
      droneFile({ build: { a: {}, b: {}, c: {} }, deploy: { d: {} } }, { deploy: { depends_on: ['build'] } }),
    );
    const runner = world.connect(new ScriptedRunner({ slots: 4 }));
    for (let moment = 0; moment < 50; moment += 1) {
      const pipeline = await world.pushed();
      for (let turn = 0; turn < moment; turn += 1) await nextTurn();
      const params = { ...world.path, number: pipeline.number };
      let isTooLate = false;
      await world.feature.operations!.cancelPipeline!(
        { params, query: undefined, body: undefined },
        world.request(),
      ).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'PIPELINE_ALREADY_FINISHED' });
        isTooLate = true;
      });
      expect((await world.until(pipeline)).status).toBe(isTooLate ? 'passed' : 'cancelled');
    }
    await runner.until(() => runner.holds.length === 0);
    expect(await world.feature.reconcile()).toEqual([]);
  });
});

describe('lint', () => {
  it('names findings with their lines, and what the file holds', async () => {
    world = await PipelinesWorld.create(undefined);
    const lint = (text: string) =>
      world.feature.operations!.lintPipelineFile!(
        { params: undefined, query: undefined, body: { path: '.drone.yml', text } },
        world.request(),
      );
    expect(await lint(droneFile({ build: { compile: {} } }))).toMatchObject({
      isValid: true,
      workflows: [{ name: 'build', steps: ['compile'] }],
    });
    const bad = await lint('kind: pipeline\nname: a\nsteps:\n  - name: x\n    commands: [true]\n');
    expect(bad.isValid).toBe(false);
    expect(bad.findings[0]).toMatchObject({ severity: 'error', line: expect.any(Number) });
  });
});
