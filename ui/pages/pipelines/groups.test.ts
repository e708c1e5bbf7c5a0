import { describe, expect, it } from 'vitest';
import type { TraceView, WorkflowView } from '../../../src/api/pipelines.ts';
import { groupTrace } from './group-trace.ts';
import { groupByMatrix, statusOfGroup } from './matrix-groups.ts';

const entry = (subject: TraceView['subject'], rule: TraceView['rule']): TraceView => ({
  subject,
  rule,
  verdict: 'noted',
  values: {},
  sentence: rule,
});

const workflow = (name: string, status: WorkflowView['status'], matrix: Record<string, string> = {}): WorkflowView => ({
  name,
  status,
  matrix,
  attempt: 1,
  dependsOn: [],
  waitsFor: null,
  startedAt: null,
  finishedAt: null,
});

describe('groupTrace', () => {
  it('keeps the order of decisions within the event, each workflow and each step', () => {
    const step = { kind: 'step', workflow: 'a', step: 'x' } as const;
    const { event, workflows } = groupTrace([
      entry({ kind: 'file' }, 'file.chosen'),
      entry(step, 'step.when.branch'),
      entry({ kind: 'workflow', workflow: 'a' }, 'trigger.matched'),
      entry({ kind: 'event' }, 'event.repeats'),
      entry(step, 'step.secret-missing'),
    ]);
    expect(event.map(({ rule }) => rule)).toEqual(['file.chosen', 'event.repeats']);
    expect(workflows).toMatchObject([
      {
        workflow: 'a',
        entries: [{ rule: 'trigger.matched' }],
        steps: [{ step: 'x', entries: [{ rule: 'step.when.branch' }, { rule: 'step.secret-missing' }] }],
      },
    ]);
  });
});

describe('groupByMatrix', () => {
  it('puts the sets of one matrix together at the place of the first, what failed first', () => {
    const groups = groupByMatrix([
      workflow('lint', 'passed'),
      workflow('test (GO=1.20)', 'passed', { GO: '1.20' }),
      workflow('test (GO=1.21)', 'failed', { GO: '1.21' }),
      workflow('ship (now)', 'running'),
      workflow('test (GO=1.22)', 'running', { GO: '1.22' }),
    ]);
    expect(groups.map(({ name, workflows }) => [name, workflows.map((one) => one.matrix['GO'])])).toEqual([
      ['lint', [undefined]],
      ['test', ['1.21', '1.22', '1.20']],
      ['ship (now)', [undefined]],
    ]);
    expect(statusOfGroup(groups[1]!.workflows)).toBe('failed');
  });
});
