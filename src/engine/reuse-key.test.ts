import { describe, expect, it } from 'vitest';
import type { PipelinePlan, WorkflowPlan } from '../core/plan.ts';
import { compilePipeline } from './compile.ts';
import type { CompileInput } from './compile-input.ts';
import { changedPart, findReuseObstacle, reuseKey, reuseParts, upstreamOf } from './reuse-key.ts';
import { sampleFacts } from './sample-facts.ts';

function compile(text: string, change: Partial<CompileInput> = {}) {
  const files = [{ path: '.gantry.yml', text }];
  return compilePipeline({ ...sampleFacts, files, secretNames: ['a'], stepTimeoutMs: 1_000, ...change });
}

function planOf(text: string, change: Partial<CompileInput> = {}): PipelinePlan {
  const result = compile(text, change);
  if (result.kind !== 'planned') throw new Error(JSON.stringify(result));
  return result.plan;
}

const file = (steps: string, more = ''): string => `kind: pipeline\nname: build\n${more}steps:\n${steps}`;
const step = (name: string, more = ''): string =>
  `- {name: ${name}, image: base/node:24, commands: [make ${name}]${more}}\n`;
const reuse = ', reuse: {inputs: [src]}';

const position = ({ steps }: WorkflowPlan, name: string): number => steps.findIndex((each) => each.name === name);

function partsOf(plan: WorkflowPlan, name: string, keys: Readonly<Record<string, string>> = {}, inputs = { src: '1' }) {
  return reuseParts(plan, position(plan, name), {
    inputs,
    digestOf: () => 'sha256:1',
    keyOf: (index) => keys[plan.steps[index]!.name],
    architecture: 'x64',
    surroundings: 'here',
  });
}

describe('a step that may be reused', () => {
  it('has no variables of the run but those that its commands name, whether reuse is on or off', () => {
    const text = file(
      '- {name: a, image: x, commands: [\'echo $GANTRY_BRANCH\'], environment: {DRONE_MINE: "1"}, reuse: {inputs: [a]}}\n',
    );
    const rules = { ignoresReuse: 'start' } as const;
    const [on, off] = [planOf(text), planOf(text, { rules })].map((plan) => plan.workflows[0]!.steps[1]!);
    const names = Object.keys(on!.environment);
    expect(names).toEqual(expect.arrayContaining(['CI', 'DRONE_MINE', 'DRONE_REPO', 'GANTRY_BRANCH', 'GANTRY_STEP']));
    const specific = /COMMIT|BUILD|NUMBER|AUTHOR|PERSON|EVENT|STATUS|_LINK$|CREATED|GANTRY_REF$|DRONE_BRANCH/;
    expect(names.filter((name) => specific.test(name) && !name.includes('REPO'))).toEqual([]);
    expect(off!.environment).toEqual(on!.environment);
    expect([on!.reuse?.off, off!.reuse?.off]).toEqual([undefined, 'start']);
  });

  it('has the same key for two pipelines of one content, and another for each part that differs', () => {
    const text = file(step('a', reuse));
    const plan = planOf(text).workflows[0]!;
    const later = planOf(text, {
      pipeline: { ...sampleFacts.pipeline, number: 99 },
      event: { ...sampleFacts.event, commit: 'f'.repeat(40), message: 'another' },
    }).workflows[0]!;
    const parts = partsOf(plan, 'a')!;
    expect(reuseKey(partsOf(later, 'a')!)).toBe(reuseKey(parts));
    const others = [
      planOf(file('- {name: a, image: base/node:24, commands: [make b], reuse: {inputs: [src]}}\n')),
      planOf(file(step('a', `, environment: {MODE: x}${reuse}`))),
      planOf(file(step('a', `, user: "1000"${reuse}`))),
      planOf(file(step('a', ', reuse: {inputs: [src], outputs: [dist]}'))),
      planOf(file(step('a', ', reuse: {inputs: [src], network: true}'))),
    ].map(({ workflows }) => partsOf(workflows[0]!, 'a')!);
    expect(others.map((other) => changedPart(parts, other))).toEqual([
      'commands',
      'variable MODE',
      'surroundings',
      'outputs',
      'surroundings',
    ]);
    expect(changedPart(parts, partsOf(plan, 'a', {}, { src: '2' })!)).toBe('input src');
    expect(new Set([parts, ...others].map(reuseKey)).size).toBe(6);
  });

  it('has the keys of all steps that it waits for in its own, and no key while one of them has none', () => {
    const plan = planOf(file(step('a', reuse) + step('b', reuse) + step('c', reuse))).workflows[0]!;
    expect(upstreamOf(plan, position(plan, 'c')).map((index) => plan.steps[index]!.name)).toEqual(['a', 'b']);
    const parts = partsOf(plan, 'c', { a: 'A', b: 'B' })!;
    expect(changedPart(parts, partsOf(plan, 'c', { a: 'A2', b: 'B' })!)).toBe('step a');
    expect(partsOf(plan, 'c', { a: 'A' })).toBeUndefined();
  });

  it('is kept from it by a step before it that says nothing of itself or may fail unnoticed, and not by one beside it', () => {
    const obstacleOf = (steps: string, more = ''): string | undefined => {
      const plan = planOf(file(steps + step('last', `${reuse}${more}`))).workflows[0]!;
      return findReuseObstacle(plan, position(plan, 'last'))?.name;
    };
    expect(obstacleOf(step('a'))).toBe('a');
    expect(obstacleOf(step('a', `${reuse}, failure: ignore`))).toBe('a');
    expect(obstacleOf(step('a', `${reuse}, when: {branch: other}`))).toBeUndefined();
    expect(obstacleOf(step('a', ', when: {branch: other}'))).toBeUndefined();
    expect(obstacleOf(step('a', ', when: {status: [failure]}'))).toBeUndefined();
    expect(obstacleOf(step('a'), ', depends_on: [clone]')).toBeUndefined();
    expect(obstacleOf(step('a', ', detach: true'))).toBe('a');
  });

  it('has the services that it can talk to in its key, and only those', () => {
    const services = 'services:\n- {name: db, image: postgres:16, environment: {POSTGRES_DB: a}}\n';
    const withNetwork = planOf(file(step('a', ', reuse: {inputs: [src], network: true}'), services)).workflows[0]!;
    const without = planOf(file(step('a', reuse), services)).workflows[0]!;
    expect(Object.keys(partsOf(withNetwork, 'a')!)).toContain('service db');
    expect(Object.keys(partsOf(without, 'a')!)).not.toContain('service db');
  });

  it.each([
    ['a secret', ', environment: {A: {from_secret: a}}'],
    ['a volume', ', volumes: [{name: v, path: /v}]'],
    ['a place beside the others', ', detach: true'],
    ['a turn after a failure', ', when: {status: [success, failure]}'],
  ])('is refused with %s', (_what, more) => {
    const result = compile(file(step('a', `${reuse}${more}`), 'volumes: [{name: v, temp: {}}]\n'));
    expect(JSON.stringify(result)).toContain('cannot be reused');
    expect(result.kind).toBe('failed');
  });
});
