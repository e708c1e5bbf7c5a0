import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { hostTrusts } from '../../src/core/pipeline-settings.ts';
import type { StepPlan, WorkflowPlan } from '../../src/core/plan.ts';
import { compilePipeline } from '../../src/engine/compile.ts';
import type { CompileInput, CompileResult, EventFacts, PipelineFile } from '../../src/engine/compile-input.ts';
import { importPipeline } from '../../src/engine/import/import-pipeline.ts';
import { noteInChinese } from '../../src/engine/import/import-sentences.zh.ts';
import { lintPipelineFile } from '../../src/engine/lint.ts';
import { compileInputOf } from '../support/compile-input.ts';

interface Scenario {
  readonly files: Readonly<Record<string, readonly string[]>>;
  readonly event?: Partial<EventFacts>;
}

const folder = new URL('./pipelines/', import.meta.url);

/** Scenarios of the other dialects: parsing, order, environment, conditions and choice of files. */
const scenarios = readdirSync(folder)
  .filter((name) => /^[PEOWT].*\.json$/.test(name))
  // Only of a branch whose name ends with a slash, and git allows none.
  .filter((name) => name !== 'W02-nothing-behind-slash-drone1.json')
  .flatMap((name) => {
    const { files, event } = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Scenario;
    const read = Object.entries(files)
      .filter(([path]) => !path.startsWith('.gantry'))
      .map(([path, lines]): PipelineFile => ({ path, text: lines.join('\n') }));
    return read.length === 0 ? [] : [{ name, files: read, event }];
  });

function compileAt(files: readonly PipelineFile[], event: Partial<EventFacts> | undefined): CompileResult {
  const sample = compileInputOf('', '');
  // What a project is trusted with is said elsewhere than in its file.
  const rules = { trusts: hostTrusts };
  const input: CompileInput = { ...sample, files, event: { ...sample.event, ...event, trust: 'trusted' }, rules };
  return compilePipeline(input);
}

function workflowsOf(result: CompileResult): ReadonlyMap<string, WorkflowPlan> {
  const workflows = result.kind === 'planned' ? result.plan.workflows : [];
  return new Map(workflows.map((workflow) => [workflow.name, workflow]));
}

/** What runs, and what runs before it: services and what its conditions leave out are looked through. */
function meaningOf(step: StepPlan, { steps }: WorkflowPlan, isCarried: (step: string) => boolean): object {
  const byName = new Map(steps.map((each) => [each.name, each]));
  const before = new Set<string>();
  const seen = new Set<string>();
  const look = (one: StepPlan): void => {
    for (const name of one.dependsOn) {
      const dependency = byName.get(name);
      if (!dependency || seen.has(name)) continue;
      seen.add(name);
      if (!dependency.skipped && dependency.background !== 'service') before.add(name);
      look(dependency);
    }
  };
  look(step);
  const { image, commands, entrypoint, command, runOn, onFailure } = step;
  return { image, commands, entrypoint, command, runOn, onFailure, before: [...before].filter(isCarried).sort() };
}

const counts = { carried: 0, remark: 0, lost: 0 };

afterAll(() => {
  process.stdout.write(
    `imported: ${counts.carried} carried, ${counts.remark} with a remark, ${counts.lost} not carried\n`,
  );
});

describe('importing the scenarios of Drone and Woodpecker', () => {
  it('tells each part of its report in Chinese too', () => {
    const results = scenarios.map(({ files }) => importPipeline(files));
    const notes = results.flatMap((result) => (result?.kind === 'imported' ? result.notes : []));
    const untold = notes.flatMap((note) => noteInChinese(note).texts.filter((text) => !/[\u4e00-\u9fff]/.test(text)));
    expect(untold).toEqual([]);
    expect(notes.length).toBeGreaterThan(400);
  });

  it.each(scenarios)('means the same where the report says "carried": $name', ({ files, event }) => {
    const imported = importPipeline(files);
    expect(imported).toBeDefined();
    if (imported?.kind !== 'imported') {
      // Nothing is refused that runs where it is.
      expect(compileAt(files, event).kind).not.toBe('planned');
      return;
    }
    const file = { path: '.gantry.yml', text: imported.text };
    expect(lintPipelineFile(file.path, file.text).findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    const source = compileAt(files, event);
    const result = compileAt([file], event);
    expect(result.kind, imported.text).not.toBe('failed');
    // Of the whole file the report says that markers in messages are read by other rules.
    if ([source, result].some(({ trace }) => trace.some(({ rule }) => rule === 'event.skip-marker'))) return;
    const [before, after] = [workflowsOf(source), workflowsOf(result)];
    for (const { verdict, workflow, step, line } of imported.notes) {
      counts[verdict] += 1;
      expect(line).toBeGreaterThan(0);
      if (verdict !== 'carried' || workflow === undefined || source.kind === 'failed') continue;
      // What its workflow asks for has been remarked there.
      const isOfCarried = imported.notes.some(
        (note) => note.workflow === workflow && !note.step && note.verdict === 'carried',
      );
      const [was, is] = [before.get(workflow), after.get(workflow)];
      if (step === undefined || (isOfCarried && !was !== !is))
        expect([workflow, was !== undefined]).toEqual([workflow, is !== undefined]);
      const [stepWas, stepIs] = [was, is].map((plan) => plan?.steps.find(({ name }) => name === step));
      if (step === undefined || !was || !is || !stepWas || !stepIs) continue;
      expect([step, stepWas.skipped === undefined]).toEqual([step, stepIs.skipped === undefined]);
      const isCarried = (other: string): boolean =>
        other === 'clone' ||
        imported.notes.some((note) => note.workflow === workflow && note.step === other && note.verdict === 'carried');
      if (!stepWas.skipped) expect(meaningOf(stepIs, is, isCarried)).toEqual(meaningOf(stepWas, was, isCarried));
    }
  });
});
