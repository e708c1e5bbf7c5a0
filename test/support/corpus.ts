import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { GantryProcess } from './gantry-process.ts';

const root = join(import.meta.dirname, '../corpus');

/**
 * Files as their authors write them, a dozen for each system after the features that real files use most
 * (pipelines.md 17), with what becomes of them. They name images of public registries: rules map these to a base image.
 */
export const corpusFiles: Readonly<Record<string, string>> = {
  'drone-0.8': '.drone.yml',
  'drone-1': '.drone.yml',
  woodpecker: '.woodpecker.yml',
};

/** A machine without the internet: everything that a file of the corpus names is run in a base image. */
export const corpusRules = `images:
${['golang', 'node', 'maven', 'python', 'alpine', 'plugins/*'].map((name) => `  - "${name}:* -> base/busybox:latest"\n`).join('')}`;

/** What the programs of these projects do, so that no file needs a network. */
const scripts = {
  'scripts/build.sh': 'echo built > app\n',
  'scripts/test.sh': 'echo ok app\n',
  'scripts/fail.sh': 'echo FAIL\nexit 1\n',
};

interface Expected {
  readonly status: string;
  /** `workflow/step status`, in the order of the file. */
  readonly steps: readonly string[];
  /** Steps whose place in the list is for the runner to say. */
  readonly anyOrder?: boolean;
  /** `workflow/step` → a part of what it says. */
  readonly log?: Readonly<Record<string, string>>;
  readonly dependsOn?: Readonly<Record<string, readonly string[]>>;
}

interface CorpusEntry {
  readonly name: string;
  readonly text: string;
  readonly expected: Expected;
}

function corpusOf(dialect: string): CorpusEntry[] {
  const names = readdirSync(join(root, dialect)).filter((name) => name.endsWith('.yml'));
  return names.toSorted().map((name) => ({
    name: `${dialect}/${name}`,
    text: readFileSync(join(root, dialect, name), 'utf8'),
    expected: JSON.parse(readFileSync(join(root, dialect, name.replace(/yml$/, 'expect.json')), 'utf8')) as Expected,
  }));
}

/** Pushes every file of a system, one after another, and compares what became of its steps; answers how many there were. */
export async function runCorpus(gantry: GantryProcess, dialect: string, withinMs = 60_000): Promise<number> {
  const project = dialect.replace(/\W/g, '');
  await gantry.createProject(project);
  await gantry.client('setSecret', {
    params: { owner: 'admin', project, name: 'npm_token' },
    body: { value: 't0p-s3cr3t' },
  });
  const entries = corpusOf(dialect);
  for (const [index, { name, text, expected }] of entries.entries()) {
    await gantry.push(project, { ...scripts, [corpusFiles[dialect]!]: text });
    const pipeline = await gantry.finished(project, index + 1, withinMs);
    const found = pipeline.steps.map((step) => `${step.workflow}/${step.name} ${step.status}`);
    const logs = new Map<string, string>();
    for (const step of pipeline.steps)
      if (step.startedAt) logs.set(`${step.workflow}/${step.name}`, await gantry.log(project, index + 1, step.id));
    const reasons = pipeline.steps.map(({ name: step, reason }) => `${step}: ${reason}`);
    const told = `${name}: ${JSON.stringify([pipeline.error, reasons, ...logs], undefined, 1)}`;
    const sorted = (steps: readonly string[]): readonly string[] => (expected.anyOrder ? steps.toSorted() : steps);
    expect(sorted(found), told).toEqual(sorted(expected.steps));
    expect(pipeline.status, told).toBe(expected.status);
    for (const [step, part] of Object.entries(expected.log ?? {})) expect(logs.get(step), told).toContain(part);
    for (const [path, names] of Object.entries(expected.dependsOn ?? {})) {
      const step = pipeline.steps.find((one) => `${one.workflow}/${one.name}` === path);
      expect(step?.dependsOn.toSorted(), told).toEqual(names.toSorted());
    }
  }
  return entries.length;
}
