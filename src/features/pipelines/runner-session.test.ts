import { describe, expect, it } from 'vitest';
import { planOf, stepPlan, workflowPlan } from '../../../test/support/plans.ts';
import { createEvent, createPerson, createProject, newPipeline, someTime } from '../../../test/support/store-world.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/logger.ts';
import { openStore } from '../../store/open-store.ts';
import { ChangeSet } from './change-set.ts';
import { loadPipeline, type OpenWorkflow } from './open-pipelines.ts';
import { claimOf, RunnerSession } from './runner-session.ts';

/** A workflow of three steps as the engine has it once it is open. */
async function openWorkflow(): Promise<OpenWorkflow> {
  const store = await openStore({ kind: 'memory' }, { clock: systemClock, logger: silentLogger });
  const person = await createPerson(store, 'mei');
  const project = await createProject(store, person.id, 'shop');
  const event = await createEvent(store, project.id, 'push:1');
  const plan = planOf(workflowPlan('build', [stepPlan('a'), stepPlan('b'), stepPlan('c')]));
  const created = await store.write(({ pipelines }) => pipelines.create(newPipeline(event, 1), plan));
  const pipeline = await loadPipeline(store.read, created!.pipeline.id);
  await store.close();
  return pipeline.workflows[0]!;
}

const runner = (runnerId: string): RunnerSession => new RunnerSession({ runnerId, slots: 4, nowMs: 0 });
const counts = ({ activeSteps, takenSlots, freeSlots }: RunnerSession) => ({ activeSteps, takenSlots, freeSlots });

describe('RunnerSession', () => {
  it('counts the slots of what it holds as steps start and end, and none once it has let go', async () => {
    const workflow = await openWorkflow();
    const session = runner('r1');
    session.hold(workflow);
    expect(counts(session)).toEqual({ activeSteps: 0, takenSlots: 1, freeSlots: 3 });

    const changes = new ChangeSet(someTime);
    const [a, b, c] = workflow.steps;
    changes.setStep(workflow, a!, { status: 'starting' });
    changes.setStep(workflow, b!, { status: 'starting' });
    expect(counts(session)).toEqual({ activeSteps: 2, takenSlots: 2, freeSlots: 2 });
    changes.setStep(workflow, a!, { status: 'running' });
    changes.setStep(workflow, a!, { status: 'passed' });
    expect(counts(session)).toEqual({ activeSteps: 1, takenSlots: 1, freeSlots: 3 });

    session.release(claimOf(workflow));
    changes.setStep(workflow, c!, { status: 'starting' });
    expect(counts(session)).toEqual({ activeSteps: 0, takenSlots: 0, freeSlots: 4 });
    expect(session.holds(workflow)).toBe(false);
  });

  it('takes no slot for a workflow that has ended and is not let go yet', async () => {
    const workflow = await openWorkflow();
    const session = runner('r1');
    session.hold(workflow);
    const changes = new ChangeSet(someTime);
    for (const step of workflow.steps) changes.setStep(workflow, step, { status: 'passed' });
    changes.settle(workflow);
    expect(workflow.status).toBe('passed');
    expect(counts(session)).toEqual({ activeSteps: 0, takenSlots: 0, freeSlots: 4 });
    expect(session.find(claimOf(workflow))).toBe(workflow);
  });

  it('has what another one held, whole', async () => {
    const workflow = await openWorkflow();
    const [before, after] = [runner('r1'), runner('r1')];
    before.hold(workflow);
    new ChangeSet(someTime).setStep(workflow, workflow.steps[0]!, { status: 'starting' });
    after.hold(workflow);
    expect(counts(before)).toEqual({ activeSteps: 0, takenSlots: 0, freeSlots: 4 });
    expect(counts(after)).toEqual({ activeSteps: 1, takenSlots: 1, freeSlots: 3 });
    expect(before.claims).toEqual([]);
    // A late release of the one before takes nothing away.
    before.release(claimOf(workflow));
    expect(after.find(claimOf(workflow))).toBe(workflow);
  });

  it('knows a claim by attempt and token: under another one the workflow is not its own', async () => {
    const workflow = await openWorkflow();
    const session = runner('r1');
    session.hold(workflow);
    const old = claimOf(workflow);
    new ChangeSet(someTime).setWorkflow(workflow, { token: workflow.token + 1 });
    expect(session.find(claimOf(workflow))).toBeUndefined();
    expect(session.holds(workflow)).toBe(false);
    expect(session.find(old)).toBe(workflow);
  });
});
