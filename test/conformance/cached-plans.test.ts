import { describe, expect, it } from 'vitest';
import { environmentOfStep } from '../../src/core/plan.ts';
import { CachedCompiler } from '../../src/engine/cached-compiler.ts';
import { compilePipeline } from '../../src/engine/compile.ts';
import type { CompileInput, CompileResult, EventFacts } from '../../src/engine/compile-input.ts';
import { lintPipelineFile } from '../../src/engine/lint.ts';
import { compileInputOf } from '../support/compile-input.ts';
import { generatePipelines } from '../support/generated-pipelines.ts';
import { fc } from '../support/properties.ts';

function countingCompiler(): { readonly compiler: CachedCompiler; readonly compiled: () => number } {
  let count = 0;
  const compiler = new CachedCompiler({
    compile: async (input) => {
      count += 1;
      return compilePipeline(input);
    },
    lint: async (path, text) => lintPipelineFile(path, text),
    resolve: async () => ({ files: [] }),
  });
  return { compiler, compiled: () => count };
}

const commit = fc.constantFrom('0', 'a', 'b', 'c').map((digit) => digit.repeat(40));
const message = fc.constantFrom(
  '',
  '0',
  'false',
  'Mend',
  'Mend [skip ci]',
  'skip tests',
  'a\nb',
  '***NO_CI***',
  'quick',
);
const person = fc.constantFrom('', 'mei', 'li', '0');
const place = fc.constantFrom<Partial<EventFacts>>(
  {},
  { branch: 'next', ref: 'refs/heads/next' },
  { kind: 'tag', branch: 'v1.2.3', ref: 'refs/tags/v1.2.3' },
  { kind: 'promote', target: 'production' },
  {
    kind: 'pull_request',
    ref: 'refs/pull/7/head',
    pullRequest: { number: 7, title: 't [ci skip]', sourceBranch: 's', targetBranch: 'main', action: 'opened' },
  },
);

/** What is another one at the next event. */
const passing = fc.record(
  {
    before: commit,
    commit,
    message,
    authorName: person,
    authorEmail: person,
    personName: person,
    parentNumber: fc.constantFrom(0, 3),
    changedPaths: fc.constantFrom<readonly string[]>([], ['a'], ['src/a.go', 'docs/b.md']),
  },
  { requiredKeys: ['before', 'commit', 'message', 'authorName', 'authorEmail', 'personName'] },
);

const variables = fc.constantFrom<CompileInput['variables']>(
  undefined,
  { A: 'b' },
  { CI_COMMIT_TAG: 'x', DRONE_TAG: 'y' },
);

/** Each says what it depends on in a way of its own. */
const ownFiles: readonly (readonly [string, string])[] = [
  ['.drone.yml', 'pipeline: {a: {image: x, environment: ["CI_COMMIT_MESSAGE=own", "DRONE_PREV_COMMIT_SHA=own"]}}'],
  ['.drone.yml', 'kind: pipeline\nsteps: [{name: a, image: plugins/x, settings: {tag: "${DRONE_COMMIT_SHA:0:8}"}}]'],
  ['.drone.yml', 'kind: pipeline\nsteps: [{name: a, image: plugins/x, settings: {tag: "${DRONE_BRANCH}"}}]'],
  [
    '.woodpecker.yml',
    'steps: {a: {image: x, commands: [a], when: {evaluate: "CI_COMMIT_MESSAGE contains \\"Mend\\""}}}',
  ],
  [
    '.woodpecker.yml',
    'steps: {a: {image: x, commands: [a], when: {evaluate: "CI_PIPELINE_FILES contains \\"docs\\""}}}',
  ],
  ['.woodpecker.yml', 'steps: {a: {image: "x:${CI_PIPELINE_FILES}", commands: [a]}}'],
  [
    '.woodpecker.yml',
    'steps: {a: {image: x, commands: [a], when: {path: {include: ["docs/*"], ignore_message: quick}}}}',
  ],
  [
    '.gantry.yml',
    'kind: pipeline\nparameters: [{name: WHO, default: all}]\nsteps: [{name: a, image: x, commands: [a]}]',
  ],
  ['.gantry.yml', 'kind: pipeline\nsteps: [{name: a, image: x, commands: [a], when: {paths: ["src/**"]}}]'],
  [
    '.gantry.yml',
    'kind: pipeline\nsteps: [{name: a, image: x, commands: ["echo $GANTRY_COMMIT_SHA"], reuse: {inputs: [a]}}]',
  ],
];
const generatedFiles = generatePipelines(60).map(({ path, text }) => [path, text] as const);

/** With the environment that each step is given, however the plan holds it. */
function asGiven(result: CompileResult): unknown {
  const { reads: _reads, ...rest } = { reads: undefined, ...result };
  if (rest.kind !== 'planned') return rest;
  const workflows = rest.plan.workflows.map((workflow) => ({
    ...workflow,
    steps: workflow.steps.map((step) => ({ ...step, environment: environmentOfStep(workflow, step) })),
  }));
  return { ...rest, plan: { ...rest.plan, workflows } };
}

describe('a cached plan', () => {
  it('is the one that a compilation of the same event gives, whatever was asked before', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.constantFrom(...ownFiles), fc.constantFrom(...generatedFiles)),
        fc.array(fc.record({ place, passing, variables, number: fc.constantFrom(1, 2, 3) }), {
          minLength: 2,
          maxLength: 8,
        }),
        async ([path, text], events) => {
          const { compiler } = countingCompiler();
          const base = compileInputOf(path, text);
          for (const { place: where, passing: facts, variables: given, number } of events) {
            const input: CompileInput = {
              ...base,
              event: { ...base.event, ...where, ...facts },
              pipeline: { number, createdAt: new Date(number), link: `${base.pipeline.link}${number}` },
              variables: given,
            };
            expect(asGiven(await compiler.compile(input))).toEqual(asGiven(compilePipeline(input)));
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('serves the next push of files that name nothing of it, and of no others', async () => {
    const next = ({ event, ...input }: CompileInput): CompileInput => ({
      ...input,
      event: { ...event, commit: 'd'.repeat(40), before: event.commit, message: 'Next', changedPaths: ['README.md'] },
      pipeline: { number: 2, createdAt: new Date(9_000), link: 'http://gantry.example/2' },
    });
    const times = async (path: string, text: string): Promise<number> => {
      const { compiler, compiled } = countingCompiler();
      const input = compileInputOf(path, text);
      await compiler.compile(input);
      expect(await compiler.compile(next(input))).toMatchObject({ kind: 'planned' });
      return compiled();
    };
    const drone = (command: string): string => `kind: pipeline\nsteps: [{name: a, image: x, commands: [${command}]}]`;
    expect(await times('.drone.yml', drone('make'))).toBe(1);
    expect(await times('.drone.yml', drone('"echo ${DRONE_BRANCH}"'))).toBe(1);
    expect(await times('.drone.yml', drone('"echo ${DRONE_COMMIT_SHA:0:8}"'))).toBe(2);
    expect(await times('.drone.yml', drone('"echo $DRONE_COMMIT_SHA"'))).toBe(1);
    const woodpecker = (when: string): string => `steps: {a: {image: x, commands: [a], when: ${when}}}`;
    expect(await times('.woodpecker.yml', woodpecker('{branch: main}'))).toBe(1);
    expect(await times('.woodpecker.yml', woodpecker('{path: "*.md"}'))).toBe(2);
    expect(await times('.woodpecker.yml', woodpecker('{evaluate: "CI_COMMIT_BRANCH == \\"main\\""}'))).toBe(1);
  });
});
