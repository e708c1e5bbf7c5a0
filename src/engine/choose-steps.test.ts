import { describe, expect, it } from 'vitest';
import { compileInputOf } from '../../test/support/compile-input.ts';
import type { PipelinePlan } from '../core/plan.ts';
import { chooseSteps, type StepChoice } from './choose-steps.ts';
import { compilePipeline } from './compile.ts';

const step = (name: string, more = ''): string => `- {name: ${name}, image: x, commands: [ls]${more}}\n`;

const graph = `kind: pipeline
name: main
steps:
${step('install')}${step('unit', ', depends_on: [install]')}${step('lint', ', depends_on: [install]')}${step('pack', ', depends_on: [unit, lint]')}
---
kind: pipeline
name: ship
depends_on: [main]
steps:
${step('ship')}`;

function chosen(choice: Partial<StepChoice>): Record<string, Record<string, readonly string[]>> {
  const result = chooseSteps(planOf(graph), { steps: [], workflows: [], isAlone: false, ...choice });
  if (result.kind === 'unknown') throw new Error(`unknown: ${result.names.join()}`);
  return Object.fromEntries(
    result.plan.workflows.map(({ name, steps }) => [
      name,
      Object.fromEntries(steps.map((each) => [each.name, each.dependsOn])),
    ]),
  );
}

function planOf(text: string): PipelinePlan {
  const result = compilePipeline(compileInputOf('.gantry.yml', text));
  if (result.kind !== 'planned') throw new Error(JSON.stringify(result));
  return result.plan;
}

describe('chooseSteps', () => {
  it('keeps a step with everything that it waits for', () => {
    expect(chosen({ steps: ['unit'] })).toEqual({ main: { clone: [], install: ['clone'], unit: ['install'] } });
  });

  it('keeps steps alone in the order that the steps in between gave them', () => {
    expect(chosen({ steps: ['install', 'pack'], isAlone: true })).toEqual({
      main: { clone: [], install: ['clone'], pack: ['install'] },
    });
  });

  it('keeps whole workflows that a chosen one waits for, unless alone', () => {
    expect(Object.keys(chosen({ steps: ['ship/ship'] }))).toEqual(['main', 'ship']);
    expect(Object.keys(chosen({ workflows: ['ship'] }))).toEqual(['main', 'ship']);
    expect(Object.keys(chosen({ workflows: ['ship'], isAlone: true }))).toEqual(['ship']);
  });

  it('leaves a plan as it is when nothing is chosen', () => {
    const plan = planOf(graph);
    expect(chooseSteps(plan, { steps: [], workflows: [], isAlone: true })).toEqual({ kind: 'chosen', plan });
  });

  it('names what the plan does not have', () => {
    const plan = planOf(graph);
    expect(chooseSteps(plan, { steps: ['unit', 'uint'], workflows: ['shop'], isAlone: false })).toEqual({
      kind: 'unknown',
      names: ['shop', 'unit', 'uint'],
    });
    expect(chooseSteps(plan, { steps: ['ship/unit'], workflows: [], isAlone: false })).toMatchObject({
      names: ['ship/unit'],
    });
  });
});
