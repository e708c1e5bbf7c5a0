import { describe, expect, it } from 'vitest';
import { executionVariables } from './environment-names.ts';
import { type ExecutionFacts, executionEnvironment } from './execution-environment.ts';

const facts: ExecutionFacts = {
  pipeline: { startedAt: new Date('2026-11-25T08:00:00Z'), failedWorkflows: [] },
  workflow: { startedAt: new Date('2026-11-25T08:00:05Z'), failedSteps: [] },
  step: { startedAt: new Date('2026-11-25T08:00:09.900Z') },
  runnerName: 'runner-1',
};

describe('executionEnvironment', () => {
  it('tells the times and that all is well', () => {
    expect(executionEnvironment(facts)).toEqual({
      DRONE_BUILD_STATUS: 'success',
      DRONE_BUILD_STARTED: '1795593600',
      DRONE_BUILD_FINISHED: '1795593609',
      DRONE_STAGE_STATUS: 'success',
      DRONE_STAGE_STARTED: '1795593605',
      DRONE_STAGE_FINISHED: '1795593609',
      DRONE_STAGE_MACHINE: 'runner-1',
      DRONE_FAILED_STEPS: '',
      CI_BUILD_STATUS: 'success',
      CI_BUILD_STARTED: '1795593600',
      CI_BUILD_FINISHED: '1795593609',
      CI_JOB_STATUS: 'success',
      CI_JOB_STARTED: '1795593605',
      CI_JOB_FINISHED: '1795593609',
      DRONE_JOB_STATUS: 'success',
      DRONE_JOB_STARTED: '1795593605',
      DRONE_JOB_FINISHED: '1795593609',
      CI_PIPELINE_STATUS: 'success',
      CI_PIPELINE_STARTED: '1795593600',
      CI_PIPELINE_FINISHED: '1795593609',
      CI_STEP_STATUS: 'success',
      CI_STEP_STARTED: '1795593609',
      CI_STEP_FINISHED: '1795593609',
      CI_MACHINE: 'runner-1',
      GANTRY_PIPELINE_STATUS: 'success',
      GANTRY_PIPELINE_STARTED: '1795593600',
      GANTRY_WORKFLOW_STATUS: 'success',
      GANTRY_WORKFLOW_STARTED: '1795593605',
      GANTRY_STEP_STARTED: '1795593609',
    });
  });

  it('tells which steps failed, and that the pipeline fails with them', () => {
    const workflow = { ...facts.workflow, failedSteps: ['lint', 'test'] };
    expect(executionEnvironment({ ...facts, workflow })).toMatchObject({
      DRONE_BUILD_STATUS: 'failure',
      DRONE_STAGE_STATUS: 'failure',
      DRONE_FAILED_STEPS: 'lint,test',
      DRONE_FAILED_STAGES: '',
      CI_BUILD_STATUS: 'failure',
      GANTRY_PIPELINE_STATUS: 'failure',
      GANTRY_WORKFLOW_STATUS: 'failure',
    });
  });

  it('tells which other workflows failed, without blaming this one', () => {
    const pipeline = { ...facts.pipeline, failedWorkflows: ['build'] };
    expect(executionEnvironment({ ...facts, pipeline })).toMatchObject({
      DRONE_BUILD_STATUS: 'failure',
      DRONE_FAILED_STAGES: 'build',
      DRONE_STAGE_STATUS: 'success',
      GANTRY_WORKFLOW_STATUS: 'success',
    });
  });

  it('sets every variable that is kept out of the plan, and no other', () => {
    const set = executionEnvironment({ ...facts, pipeline: { ...facts.pipeline, failedWorkflows: ['build'] } });
    expect(Object.keys(set).toSorted()).toEqual(executionVariables.toSorted());
  });
});
