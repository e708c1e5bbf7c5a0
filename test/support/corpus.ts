import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '../corpus');

/** What can be run: a pipeline file as its author wrote it, the project around it, and what becomes of it. */
export interface CorpusEntry {
  /** `drone-1/01-go`. */
  readonly name: string;
  readonly dialect: string;
  /** Of the project, pipeline files among them. */
  readonly files: Readonly<Record<string, string>>;
  readonly expectation: CorpusExpectation;
}

/** `NAME.expect.json`: what must be there, and each run that the file is put through, in order. */
export interface CorpusExpectation {
  /** Without one of these it cannot run: an engine that builds images, the converter of Jsonnet and Starlark. */
  readonly needs?: 'builder' | 'converter';
  /** Further files of the project. */
  readonly files?: Readonly<Record<string, string>>;
  /** Other projects that it includes files of, by name. */
  readonly projects?: Readonly<
    Record<string, { readonly tag: string; readonly files: Readonly<Record<string, string>> }>
  >;
  readonly runs: readonly CorpusRun[];
}

/** One pipeline, or the refusal to make one, and what a user sees of it. */
export interface CorpusRun {
  /** What starts it; without it the push of what is there. */
  readonly start?:
    | { readonly push: Readonly<Record<string, string>> }
    | { readonly tag: string }
    | { readonly manual: Readonly<Record<string, string>> }
    | { readonly promote: string; readonly parameters?: Readonly<Record<string, string>> }
    | { readonly cron: string };
  /** The code of the refusal: there is no pipeline. */
  readonly refused?: string;
  /** It is cancelled once this step runs (`workflow/step`), or once one workflow has ended and another says why it waits. */
  readonly cancelOnce?:
    | { readonly runs: string }
    | { readonly ended: string; readonly workflow: string; readonly waitsFor: string };
  readonly status?: string;
  /** `workflow/step status`, in the order of the file; `reused` where an earlier result stood for running it. */
  readonly steps?: readonly string[];
  /** The same where a runtime keeps no results. */
  readonly stepsWithoutReuse?: readonly string[];
  /** Steps whose place in the list is for the runner to say. */
  readonly anyOrder?: boolean;
  /** `workflow/step` → a part of what it says. */
  readonly log?: Readonly<Record<string, string>>;
  /** The same, for sandboxes alone: what they keep and container engines do not. */
  readonly logInSandbox?: Readonly<Record<string, string>>;
  readonly dependsOn?: Readonly<Record<string, readonly string[]>>;
  /** Workflow → how often it was run. */
  readonly attempts?: Readonly<Record<string, number>>;
  /** Names of the artifacts that it left. */
  readonly artifacts?: readonly string[];
  /** What is wrong with the file: a part of the message, and its line. */
  readonly error?: { readonly message: string; readonly line: number };
}

/** Where a file of each dialect stands in its project. */
export const corpusFiles: Readonly<Record<string, string>> = {
  'drone-0.8': '.drone.yml',
  'drone-1': '.drone.yml',
  woodpecker: '.woodpecker.yml',
  gantry: '.gantry.yml',
};

/** A machine without the internet: everything that a file of the corpus names is run in a base image. */
export const corpusRules = `images:
${['golang', 'node', 'maven', 'python', 'alpine', 'plugins/*', 'woodpeckerci/*', 'redis', 'docker'].map((name) => `  - "${name}:* -> base/busybox:latest"\n`).join('')}`;

/** What the programs of these projects do, so that no file needs a network. */
const scripts = {
  'scripts/build.sh': 'echo built > app\n',
  'scripts/test.sh': 'echo ok app\n',
  'scripts/fail.sh': 'echo FAIL\nexit 1\n',
};

/**
 * Files as their authors write them, a dozen and more for each system after the features that real files use most
 * (pipelines.md 17): `NN-name.yml`, or a folder `NN-name` where there are several. They name images of public registries.
 */
export function corpusOf(dialect: string): CorpusEntry[] {
  const folder = join(root, dialect);
  const names = readdirSync(folder).flatMap((name) => /^(.*)\.expect\.json$/.exec(name)?.[1] ?? []);
  return names.toSorted().map((name) => {
    const expectation = readExpectation(join(folder, `${name}.expect.json`));
    const file = join(folder, `${name}.yml`);
    const pipelineFiles = existsSync(file)
      ? { [corpusFiles[dialect]!]: readFileSync(file, 'utf8') }
      : filesBelow(join(folder, name));
    return {
      name: `${dialect}/${name}`,
      dialect,
      files: { ...scripts, ...pipelineFiles, ...expectation.files },
      expectation,
    };
  });
}

/** A machine without the internet that has the tools: what a file names is what a base image holds. */
export const toolRules = `images:
  - golang:1.22* -> base/golang:1.22
  - node:20* -> base/node:20
  - python:3.11* -> base/python:3.11
  - maven:3-*-17 -> base/maven:3
  - docker.io/library/debian:12* -> base/debian:12
  - alpine:* -> base/busybox:latest
`;

/** One file of each system that builds and tests the same small program in each language with the tools themselves. */
export function toolEntries(): CorpusEntry[] {
  const programs = filesBelow(join(root, 'programs'));
  return Object.entries(corpusFiles).map(([dialect, path]) => ({
    name: `tools/${dialect}`,
    dialect,
    files: { ...programs, [path]: readFileSync(join(root, 'tools', `${dialect}.yml`), 'utf8') },
    expectation: readExpectation(join(root, 'tools', `${dialect}.expect.json`)),
  }));
}

/** Every file below a folder, by its path from there. */
export function filesBelow(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [relative(folder, path), readFileSync(path, 'utf8')];
    }),
  );
}

/** What is said of one run alone need not stand in a list. */
function readExpectation(path: string): CorpusExpectation {
  const read = JSON.parse(readFileSync(path, 'utf8')) as CorpusExpectation | CorpusRun;
  return 'runs' in read ? read : { runs: [read] };
}
