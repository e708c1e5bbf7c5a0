import { describe, expect, it } from 'vitest';
import { compilePipeline } from '../../src/engine/compile.ts';
import type { CompileResult } from '../../src/engine/compile-input.ts';
import { compileInputOf } from '../support/compile-input.ts';

/** What the process that compiles is given on the server, before it is ended. */
const deadlineMs = 1_000;

/** Compiles three times; the least CPU time counts, since others use the machine too. */
function compileWithin(path: string, text: string): CompileResult {
  const input = compileInputOf(path, text);
  let result = compilePipeline(input);
  let leastMs = Infinity;
  for (let run = 0; run < 3; run += 1) {
    const before = process.cpuUsage();
    result = compilePipeline(input);
    const { user, system } = process.cpuUsage(before);
    leastMs = Math.min(leastMs, (user + system) / 1_000);
  }
  expect(leastMs).toBeLessThan(deadlineMs);
  return result;
}

function lines(count: number, line: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => `${line(index)}\n`).join('');
}

const step = 'pipeline:\n  a: {image: x, commands: [ls]}\n';

describe('a file that asks for too much', () => {
  it('has 27 sets of the thousand million that its matrix would have', () => {
    const text = `matrix:\n${lines(9, (i) => `  A${i}: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]`)}${step}`;
    const result = compileWithin('.drone.yml', text);
    expect(result.kind === 'planned' && result.plan.workflows.length).toBe(27);
  });

  it('is refused at the matrix when the sets make too much text of it', () => {
    const axis = '1,'.repeat(60_000);
    expect(compileWithin('.drone.yml', `${step}matrix: {A: [${axis}], B: [${axis}]}\n`)).toMatchObject({
      kind: 'failed',
      error: { line: 3, column: 1 },
    });
  });

  it('runs two hundred rows of a matrix', () => {
    const text = `when: {event: push}\nmatrix:\n  include:\n${lines(200, (i) => `    - {A: "${i}"}`)}steps:\n${lines(
      5,
      (i) => `  s${i}: {image: "x:\${A}", commands: [ls]}`,
    )}`;
    const result = compileWithin('.woodpecker.yml', text);
    const workflows = result.kind === 'planned' ? result.plan.workflows : [];
    expect(workflows).toHaveLength(200);
    expect(workflows.at(-1)?.steps.at(-1)).toMatchObject({ image: 'x:199' });
  });

  it.each([
    ['.drone.yml', `pipeline:\n${lines(10_000, (i) => `  s${i}: {image: x}`)}`, 1],
    ['.woodpecker.yml', `when: {event: push}\nsteps:\n${lines(10_000, () => '- {name: s, image: x}')}`, 2],
  ])('is refused at its steps when it has ten thousand of them: %s', (path, text, line) => {
    const result = compileWithin(path, text);
    expect(result).toMatchObject({ kind: 'failed', error: { line, column: 1 } });
    expect(result.kind === 'failed' && result.error.message).toContain('1000 steps, and this one has 10000');
  });

  it('orders a thousand levels', () => {
    const needs = (index: number): string => (index === 0 ? '' : `, depends_on: [s${index - 1}]`);
    const text = `when: {event: push}\nsteps:\n${lines(1_000, (i) => `- {name: s${i}, image: x${needs(i)}}`)}`;
    const result = compileWithin('.woodpecker.yml', text);
    const steps = result.kind === 'planned' ? result.plan.workflows[0]?.steps : [];
    expect(steps?.at(-1)?.dependsOn).toEqual(['s998']);
  });

  it('carries a setting once that names a secret thousands of times', () => {
    const secrets = '{from_secret: a},'.repeat(8_000);
    const text = `when: {event: push}\nsteps:\n  a: {image: x, settings: {a: [${secrets}]}}\n`;
    const result = compileWithin('.woodpecker.yml', text);
    expect(JSON.stringify(result).length).toBeLessThan(1_000_000);
  });
});
