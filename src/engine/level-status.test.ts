import { describe, expect, it } from 'vitest';
import { fc } from '../../test/support/properties.ts';
import { isFinished, type StepStatus, stepStatuses, workflowStatuses } from '../core/pipeline.ts';
import { endOf, pipelineStatusOf, workflowStatusOf } from './level-status.ts';

const of = <Status>(...statuses: Status[]) => statuses.map((status) => ({ status }));

describe('endOf', () => {
  it.each<[StepStatus[], string]>([
    [[], 'passed'],
    [['skipped', 'skipped'], 'passed'],
    [['passed', 'failed'], 'failed'],
    [['failed', 'infrastructure', 'skipped'], 'infrastructure'],
    [['infrastructure', 'cancelled'], 'cancelled'],
  ])('makes of %j %s', (children, end) => {
    expect(endOf(of(...children))).toBe(end);
  });

  it('does not count a failure that is ignored', () => {
    expect(endOf([{ status: 'failed', isIgnored: true }, { status: 'passed' }])).toBe('passed');
  });

  it('never calls passed what holds an infrastructure step', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...stepStatuses)), (list) => {
        expect(endOf(of(...list, 'infrastructure' as const))).not.toBe('passed');
      }),
    );
  });
});

describe('workflowStatusOf', () => {
  it('is running from the first start to the last end', () => {
    expect(workflowStatusOf(of<StepStatus>('waiting', 'waiting'), 'claimed')).toBe('claimed');
    expect(workflowStatusOf(of<StepStatus>('skipped', 'waiting'), 'queued')).toBe('queued');
    expect(workflowStatusOf(of<StepStatus>('starting', 'waiting'), 'claimed')).toBe('running');
    expect(workflowStatusOf(of<StepStatus>('passed', 'waiting'), 'claimed')).toBe('running');
    expect(workflowStatusOf(of<StepStatus>('passed', 'skipped'), 'claimed')).toBe('passed');
  });
});

describe('pipelineStatusOf', () => {
  it('follows from its workflows', () => {
    expect(pipelineStatusOf(of('queued', 'blocked'))).toBe('queued');
    expect(pipelineStatusOf(of('passed', 'queued'))).toBe('running');
    expect(pipelineStatusOf(of('claimed', 'blocked'))).toBe('running');
    expect(pipelineStatusOf(of('passed', 'blocked'))).toBe('blocked');
    expect(pipelineStatusOf(of('passed', 'skipped'))).toBe('passed');
  });

  it('has ended exactly when all of them have', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...workflowStatuses)), (list) => {
        expect(isFinished(pipelineStatusOf(of(...list)))).toBe(list.every(isFinished));
      }),
    );
  });
});
