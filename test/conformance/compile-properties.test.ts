import { describe, expect, it } from 'vitest';
import { environmentOfStep } from '../../src/core/plan.ts';
import { traceRules } from '../../src/core/trace.ts';
import { compilePipeline } from '../../src/engine/compile.ts';
import type { CompileInput, CompileResult } from '../../src/engine/compile-input.ts';
import { matchGlob } from '../../src/engine/glob.ts';
import { lintPipelineFile } from '../../src/engine/lint.ts';
import { SubstitutionError, substitute } from '../../src/engine/substitute.ts';
import { fc } from '../support/properties.ts';

/** What an attacker, or a tired person, may write: pieces of YAML and of our words in any order. */
const piece = fc.oneof(
  fc.constantFrom(
    ...'kind:|pipeline|name:|steps:|- |image:|commands:|when:|trigger:|branch:|event:|status:|include:|exclude:|depends_on:|environment:|from_secret:|clone:|disable:|depth:|workspace:|failure:|ignore|pull:|true|no|~|null|---|...|<<:|*a|&a |!!str |!!binary |!x |[|]|{|}|,|: |? || |> |"|\'|\\|#| # |%|@|`|${|}|$$|${A}|${A:-|${A/|${A:1:2}|${DRONE_BRANCH}|**|{a,b}|[a-z]|1|0x1f|1e3|services:|settings:|pipeline:|matrix:|group:|secrets:|evaluate:|path:|optional:|${CI_COMMIT_BRANCH}'.split(
      '|',
    ),
    '|',
    '\n',
    '\n',
    '\n  ',
    '\n- ',
    '\n  - ',
    '\t',
    '\r\n',
    '\0',
    '\uFEFF',
    '\u2028',
    '\ud800',
    '变量',
  ),
  fc.string({ maxLength: 5 }),
);
const anyText = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(''));

const name = fc.constantFrom('a', 'b', 'c', 'clone', 'default', 'x y', '', 'a/b', '__proto__', 'constructor');
const variable = fc.constantFrom('A', 'B_C', '__proto__', 'constructor', 'DRONE_BRANCH');
const scalar = fc.oneof(name, fc.constantFrom('${DRONE_BRANCH}', 'ls', '1.10', true, null, 7, 'refs/heads/**', '['));
const anyValue = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(name, tie('value'), { maxKeys: 3 }),
  ),
})).value;

/** Mostly right, so that the deeper rules are reached; JSON is YAML. */
const rightOr = <T>(right: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 80, arbitrary: right }, { weight: 1, arbitrary: anyValue });
const names = fc.array(fc.oneof(name, fc.constantFrom('main', 'push', 'm*', '**', 'success', 'failure')), {
  maxLength: 3,
});
const constraint = rightOr(
  fc.oneof(fc.constantFrom('**', 'main'), names, fc.record({ include: names, exclude: names }, { requiredKeys: [] })),
);
const conditions = rightOr(
  fc.record({ branch: constraint, event: constraint, ref: constraint, status: constraint }, { requiredKeys: [] }),
);
const others = rightOr(fc.uniqueArray(fc.constantFrom('n0', 'n1', 'clone'), { maxLength: 2 }));
const ports = rightOr(fc.subarray([80, '53/udp', '8080:90']));
const service = fc.record(
  {
    name: fc.constantFrom('db', 'cache', 'my db', '__proto__'),
    image: rightOr(fc.constant('x')),
    ports,
    when: conditions,
  },
  { requiredKeys: ['name', 'image'] },
);
const step = fc.record(
  {
    image: rightOr(fc.constant('x')),
    commands: rightOr(fc.array(fc.constantFrom('ls', 'npm test'), { maxLength: 2 })),
    environment: rightOr(
      fc.dictionary(variable, rightOr(fc.oneof(name, fc.record({ from_secret: variable }))), { maxKeys: 3 }),
    ),
    depends_on: others,
    when: conditions,
    failure: rightOr(fc.constantFrom('ignore', 'always')),
    detach: rightOr(fc.boolean()),
    volumes: rightOr(fc.constantFrom([], [{ name: 'v', path: '/v' }])),
  },
  { requiredKeys: ['image'] },
);
const document = fc.record(
  {
    kind: rightOr(fc.constant('pipeline')),
    type: rightOr(fc.constantFrom('docker', 'exec')),
    services: rightOr(fc.uniqueArray(service, { maxLength: 2, selector: (one) => one.name })),
    volumes: rightOr(fc.constant([{ name: 'v', temp: {} }])),
    steps: rightOr(fc.array(step, { maxLength: 4 }).map(named)),
    trigger: conditions,
    depends_on: others,
    clone: rightOr(fc.record({ disable: fc.boolean() })),
    workspace: rightOr(fc.record({ base: name, path: name })),
    extra: rightOr(fc.constant(undefined)),
  },
  { requiredKeys: ['kind', 'steps', 'volumes'] },
);
const structuredText = fc.array(document, { minLength: 1, maxLength: 3 }).map((documents) =>
  named(documents)
    .map((one) => JSON.stringify(one))
    .join('\n---\n'),
);

/** A step as Drone 0.8 and Woodpecker have it. */
const axes = fc.dictionary(fc.constantFrom('A', 'B', '__proto__', 'constructor'), name, { maxKeys: 2 });
const containerConditions = rightOr(
  fc.record(
    {
      branch: constraint,
      event: constraint,
      status: rightOr(fc.subarray(['success', 'failure'])),
      matrix: rightOr(fc.oneof(axes, fc.record({ include: axes, exclude: fc.array(axes, { maxLength: 2 }) }))),
      local: rightOr(fc.boolean()),
    },
    { requiredKeys: [] },
  ),
);
const containerStep = {
  image: rightOr(fc.constant('x')),
  commands: rightOr(fc.oneof(fc.constant('ls'), fc.array(fc.constantFrom('ls', 'echo ${A}'), { maxLength: 2 }))),
  environment: rightOr(fc.oneof(fc.dictionary(variable, scalar, { maxKeys: 3 }), fc.constant(['A=b', 'C']))),
  secrets: rightOr(fc.subarray(['a', 'constructor', { source: 'b', target: '__proto__' }])),
  group: rightOr(fc.constantFrom('', 'g', 'h')),
  pull: rightOr(fc.boolean()),
  detach: rightOr(fc.boolean()),
  volumes: rightOr(fc.subarray(['v:/v', 'w:/w:ro'])),
};
const matrix = rightOr(
  fc.oneof(
    fc.dictionary(fc.constantFrom('A', 'B', 'constructor'), fc.array(name, { maxLength: 3 }), { maxKeys: 2 }),
    fc.record({ include: fc.array(axes, { maxLength: 3 }) }),
  ),
);
const stepName = fc.constantFrom('a', 'b', 'clone', 'x y', 'constructor', '__proto__');
const containerServices = fc.dictionary(
  fc.constantFrom('a', 'db', 'x y', '__proto__'),
  fc.record({ image: fc.constant('x'), ports, when: containerConditions }, { requiredKeys: ['image'] }),
  { maxKeys: 2 },
);
const drone08Text = fc
  .record(
    {
      services: containerServices,
      pipeline: rightOr(
        fc.dictionary(
          stepName,
          fc.oneof(
            fc.record({ ...containerStep, when: containerConditions }, { requiredKeys: ['image'] }),
            fc.record({ image: rightOr(fc.constant('${A}x')), channel: anyValue, when: containerConditions }),
          ),
          { minKeys: 1, maxKeys: 4 },
        ),
      ),
      matrix,
      branches: constraint,
      workspace: rightOr(fc.record({ base: name, path: name })),
      clone: rightOr(fc.constant({ git: { image: 'plugins/git', depth: 1 } })),
      labels: rightOr(fc.dictionary(name, name, { maxKeys: 1 })),
      extra: rightOr(fc.constant(undefined)),
    },
    { requiredKeys: ['pipeline'] },
  )
  .map((file) => JSON.stringify(file));

const needs = rightOr(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    fc.uniqueArray(fc.constantFrom('n0', 'n1', 'clone'), { maxLength: 1 }),
    fc.constant([{ name: 'n1', optional: true }]),
  ),
);
const woodpeckerConditions = fc.oneof(
  containerConditions,
  fc.array(
    fc.record(
      {
        branch: constraint,
        path: rightOr(fc.record({ include: names, exclude: names, on_empty: fc.boolean() }, { requiredKeys: [] })),
        evaluate: rightOr(fc.constantFrom('true', 'A == ""', '"A" in $env', 'CI_COMMIT_BRANCH matches A')),
        status: rightOr(fc.subarray(['success', 'failure'])),
      },
      { requiredKeys: [] },
    ),
    { maxLength: 2 },
  ),
);
const ofWoodpecker = { depends_on: needs, when: woodpeckerConditions };
const woodpeckerText = fc
  .record(
    {
      services: containerServices,
      steps: rightOr(
        fc
          .array(
            fc.oneof(
              fc.record(
                { ...containerStep, ...ofWoodpecker, failure: rightOr(fc.constant('ignore')) },
                { requiredKeys: ['image'] },
              ),
              fc.record({
                image: rightOr(fc.constant('x')),
                settings: rightOr(fc.dictionary(name, anyValue, { maxKeys: 2 })),
                ...ofWoodpecker,
              }),
            ),
            { minLength: 1, maxLength: 4 },
          )
          .map(named),
      ),
      when: woodpeckerConditions,
      matrix,
      depends_on: rightOr(fc.constantFrom([], ['b'], [{ name: 'b', optional: true }])),
      runs_on: rightOr(fc.constant(['success', 'failure'])),
      skip_clone: rightOr(fc.boolean()),
      extra: rightOr(fc.constant(undefined)),
    },
    { requiredKeys: ['steps'] },
  )
  .map((file) => JSON.stringify(file));

/** A file that is mostly right, at a path of its dialect. */
const structuredFile = fc.oneof(
  // By how many of them are sound: each dialect is to have its share.
  { weight: 2, arbitrary: fc.tuple(fc.constant('.gantry.yml'), structuredText) },
  fc.tuple(fc.constant('.drone.yml'), structuredText),
  { weight: 3, arbitrary: fc.tuple(fc.constant('.drone.yml'), drone08Text) },
  fc.tuple(fc.constantFrom('.woodpecker.yml', '.woodpecker/a.yaml'), woodpeckerText),
);

/** Names them n0, n1, …: what `others` waits for. */
function named<T extends object>(items: readonly T[]): object[] {
  return items.map((item, index) => {
    const wanted: unknown = Reflect.get(item, 'depends_on');
    const dependsOn = Array.isArray(wanted) ? wanted.filter((one) => one !== `n${index}`) : wanted;
    return { name: `n${index}`, ...item, depends_on: dependsOn };
  });
}

function inputOf(path: string, text: string, branch: string): CompileInput {
  return {
    files: [{ path, text }],
    event: {
      kind: 'push',
      ref: `refs/heads/${branch}`,
      branch,
      before: 'a'.repeat(40),
      commit: 'b'.repeat(40),
      message: `Merge "${branch}"\nand more`,
      authorName: branch,
      authorEmail: 'mei@example.com',
      personName: 'mei',
      parameters: { A: branch },
    },
    project: {
      owner: 'shop',
      name: 'store',
      visibility: 'internal',
      defaultBranch: 'main',
      link: 'http://gantry.example/shop/store',
      cloneUrl: 'http://gantry.example/shop/store.git',
    },
    pipeline: { number: 1, createdAt: new Date(0), link: 'http://gantry.example/shop/store/pipelines/1' },
    instanceUrl: 'http://gantry.example',
    secretNames: ['a'],
    stepTimeoutMs: 60_000,
  };
}

const path = fc.constantFrom('.gantry.yml', '.drone.yml', '.woodpecker.yml', '.woodpecker/a.yml');
const branch = fc.oneof(
  fc.constantFrom('main', 'a"]; rm -rf x', '$(id)', '{{ x }}', '${A}', 'x: y', '`id`'),
  fc.string({ maxLength: 8 }),
);

/** What the engine takes for granted about a plan. */
function checkResult(result: CompileResult): void {
  for (const entry of result.trace) expect(traceRules).toContain(entry.rule);
  if (result.kind === 'failed') {
    expect(result.error.message).toMatch(/^Cannot run /);
    expect(result.error.line ?? 1).toBeGreaterThan(0);
  }
  if (result.kind !== 'planned') return;
  const { workflows } = result.plan;
  expect(workflows.length).toBeGreaterThan(0);
  checkGraph(workflows);
  for (const workflow of workflows) {
    checkGraph(workflow.steps);
    expect(workflow.steps.some((one) => one.kind === 'clone')).toBe(!workflow.clone.isDisabled);
    for (const one of workflow.steps) {
      const environment = environmentOfStep(workflow, one);
      expect(Object.keys(environment).every((key) => key !== '' && !key.includes('='))).toBe(true);
      expect(Object.values(environment).every((value) => typeof value === 'string' && !value.includes('\0'))).toBe(
        true,
      );
      expect([one.image, one.user, ...one.commands].some((text) => text?.includes('\0'))).toBe(false);
    }
  }
}

/** Names are unique, what is waited for is there, and some order runs all. */
function checkGraph(nodes: readonly { readonly name: string; readonly dependsOn: readonly string[] }[]): void {
  const waiting = new Map(nodes.map((node) => [node.name, new Set(node.dependsOn)]));
  expect(waiting.size).toBe(nodes.length);
  for (const node of nodes) for (const dependency of node.dependsOn) expect(waiting.has(dependency)).toBe(true);
  for (;;) {
    const ready = [...waiting].filter(([, dependencies]) => dependencies.size === 0).map(([ready]) => ready);
    if (ready.length === 0) break;
    for (const done of ready) waiting.delete(done);
    for (const dependencies of waiting.values()) for (const done of ready) dependencies.delete(done);
  }
  expect(waiting.size).toBe(0);
}

/** Seconds of work: a busy machine takes a multiple of it. */
const patienceMs = 300_000;

describe('compilePipeline', () => {
  it(
    'answers any text with a result, and never throws',
    () => {
      fc.assert(
        fc.property(path, anyText, branch, (file, text, ref) => {
          checkResult(compilePipeline(inputOf(file, text, ref)));
        }),
        { numRuns: 8_000 },
      );
    },
    patienceMs,
  );

  it(
    'makes plans that the engine can run to their end',
    () => {
      const planned = new Map<string, number>();
      fc.assert(
        fc.property(structuredFile, branch, ([file, text], ref) => {
          const result = compilePipeline(inputOf(file, text, ref));
          checkResult(result);
          if (result.kind !== 'planned') return;
          const { dialect } = result.plan;
          planned.set(dialect, (planned.get(dialect) ?? 0) + 1);
        }),
        { numRuns: 6_000 },
      );
      // Otherwise the property says nothing.
      for (const dialect of ['gantry', 'drone1', 'drone08', 'woodpecker'])
        expect(planned.get(dialect) ?? 0, dialect).toBeGreaterThan(100);
    },
    patienceMs,
  );

  it(
    'gives the same plan for the same input, and takes the input as it is',
    () => {
      fc.assert(
        fc.property(structuredFile, branch, ([file, text], ref) => {
          const input = inputOf(file, text, ref);
          const before = structuredClone(input);
          const result = compilePipeline(input);
          expect(compilePipeline(input)).toEqual(result);
          expect(input).toEqual(before);
          // It crosses a process and a database.
          expect(JSON.parse(JSON.stringify(result))).toEqual(result);
        }),
        { numRuns: 500 },
      );
    },
    patienceMs,
  );

  it(
    'agrees with lint about which files are sound',
    () => {
      fc.assert(
        fc.property(fc.oneof(fc.tuple(path, anyText), structuredFile), ([file, text]) => {
          fc.pre(!/[$\\]/.test(text));
          const result = compilePipeline(inputOf(file, text, 'main'));
          // What an event leaves out, and an expression that has no answer, only the event can tell.
          const isOfEvent =
            result.kind === 'failed' &&
            /its conditions leave out here|has no answer|could mean/.test(result.error.message);
          expect(lintPipelineFile(file, text).isValid).toBe(result.kind !== 'failed' || isOfEvent);
        }),
        { numRuns: 1_500 },
      );
    },
    patienceMs,
  );
});

describe('substitute', () => {
  it('leaves a text without "$" and "\\" as it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!/[$\\]/.test(text));
        expect(substitute(text, new Map(), { quotesNewlines: true }).text).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });

  it('tells for each place of its result where it came from', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', '\n', '${A}', '${B:-x}', '$$', '\\/', '变'), { maxLength: 30 }),
        (pieces) => {
          const text = pieces.join('');
          const result = substitute(text, new Map(Object.entries({ A: 'value', B: '' })), { quotesNewlines: true });
          let last = 0;
          for (let offset = 0; offset < result.text.length; offset += 1) {
            const source = result.sourceOffset(offset);
            expect(source).toBeGreaterThanOrEqual(last);
            last = source;
            // A newline outside of values is the very newline of the source: lines of findings are right.
            if (result.text[offset] === '\n') expect(text[source]).toBe('\n');
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('answers or refuses any text', () => {
    fc.assert(
      fc.property(anyText, fc.dictionary(fc.constantFrom('A', 'DRONE_BRANCH'), fc.string()), (text, variables) => {
        try {
          expect(typeof substitute(text, new Map(Object.entries(variables)), { quotesNewlines: true }).text).toBe(
            'string',
          );
        } catch (error) {
          expect(error).toBeInstanceOf(SubstitutionError);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('matchGlob', () => {
  const pattern = fc.array(
    fc.constantFrom('a', 'b', '/', '*', '**', '?', '[ab]', '[^a]', '{a,b}', '{', '}', '[', '\\', ','),
    { maxLength: 12 },
  );
  const mode = fc.constantFrom('drone08' as const, 'drone1' as const, 'woodpecker' as const);

  it('answers any pattern', () => {
    fc.assert(
      fc.property(pattern, fc.string(), mode, (pieces, value, which) => {
        expect(typeof matchGlob(pieces.join(''), value, which)).toBe('boolean');
      }),
      { numRuns: 5_000 },
    );
  });

  it('matches a value without special characters with itself alone', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z/.-]{1,12}$/),
        fc.stringMatching(/^[a-z/.-]{1,12}$/),
        mode,
        (value, other, which) => {
          expect(matchGlob(value, value, which)).toBe(true);
          // doublestar 1 takes "a/" and "a" for the same.
          const same = (text: string): string => (which === 'drone1' ? text.replace(/\/$/, '') : text);
          expect(matchGlob(value, other, which)).toBe(same(value) === same(other));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
