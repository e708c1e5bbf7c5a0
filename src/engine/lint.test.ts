import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { lintPipelineFile } from './lint.ts';
import { type LintCode, lintRules } from './lint-rules.ts';

const step = 'steps: [{name: s, image: x, commands: [ls]}]\n';
const reusable = 'kind: pipeline\nsteps:\n- name: s\n  image: x\n  commands: [ls]\n';

/** The smallest file for each rule, and where it is found. */
const samples: Readonly<Record<LintCode, readonly [text: string, line: number, path?: string]>> = {
  'file.empty': ['# nothing\n', 1],
  'file.too-large': [`# ${'x'.repeat(262_143)}`, 1],
  'file.program': ['{}', 1, '.drone.jsonnet'],
  'file.findings-cut': [`kind: pipeline\n${'k: v\n'.repeat(200)}${step}`, 102],
  'yaml.syntax': ['kind: pipeline\nsteps: }\n', 2],
  'yaml.limit': [`kind: pipeline\nsteps: ${'['.repeat(200)}${']'.repeat(200)}\n`, 2],
  'yaml.duplicate-key': [`kind: pipeline\nname: a\nname: b\n${step}`, 3],
  'yaml.tag': [`kind: pipeline\nname: !x a\n${step}`, 2],
  'yaml.key': [`kind: pipeline\n? [a]\n: b\n${step}`, 2],
  'yaml.merge': [`kind: pipeline\n<<: a\n${step}`, 2],
  'substitution.syntax': [`kind: pipeline\n# \${a-b}\n${step}`, 2],
  'substitution.unknown-name': [`kind: pipeline\n# \${MINE}\n${step}`, 2],
  'substitution.frozen': [`kind: pipeline\n# \${DRONE_BUILD_STATUS}\n${step}`, 2],
  'substitution.no-effect': [`kind: pipeline\ntrigger: {branch: "\${DRONE_BRANCH}"}\n${step}`, 2],
  'substitution.name': [`kind: pipeline\nname: "\${DRONE_BRANCH}"\n${step}`, 2],
  'substitution.unsafe-value': ['', 0],
  'document.kind': ['kind: pipe\n', 1],
  'document.kind-missing': [step, 1],
  'document.kind-unsupported': ['kind: template\n', 1],
  'document.kind-no-effect': [`kind: pipeline\n${step}---\nkind: cron\n`, 4],
  'document.shape': ['[a]\n', 1],
  'document.unread': [`kind: pipeline\n${step}--- name: a\n`, 3],
  'dialect.unsupported': ['build:\n  image: x\n', 1],
  'key.unknown': [`kind: pipeline\nstages: []\n${step}`, 2],
  'key.unsupported': [`kind: pipeline\nnode_name: a\n${step}`, 2],
  'key.no-effect': [`kind: pipeline\nversion: 1\n${step}`, 2],
  'value.type': [`kind: pipeline\nclone: {depth: deep}\n${step}`, 2],
  'value.scalar-for-list': [`kind: pipeline\nsteps:\n- {name: s, image: x, commands: ls}\n`, 3],
  'value.unknown': ['kind: pipeline\nsteps:\n- {name: s, image: x, failure: maybe}\n', 3],
  'value.unknown-default': ['kind: pipeline\nsteps:\n- {name: s, image: x, pull: maybe}\n', 3],
  'workflow.name-duplicate': [`kind: pipeline\n${step}---\nkind: pipeline\n${step}`, 4],
  'workflow.name-invalid': [`kind: pipeline\nname: ${'n'.repeat(101)}\n${step}`, 2],
  'workflow.dependency-unknown': [`kind: pipeline\ndepends_on: [a]\n${step}`, 2],
  'workflow.cycle': [`kind: pipeline\ndepends_on: [default]\n${step}`, 2],
  'workflow.type': [`kind: pipeline\ntype: ssh\n${step}`, 2],
  'workflow.exec': [`kind: pipeline\ntype: exec\nsteps: [{name: s, commands: [ls]}]\n`, 2],
  'workflow.platform': [`kind: pipeline\nplatform: {os: darwin}\n${step}`, 2],
  'workflow.no-steps': ['kind: pipeline\nsteps: []\n', 2],
  'workflow.workspace-reserved': [`kind: pipeline\nworkspace: {base: /etc}\n${step}`, 2],
  'workflow.too-many': [`kind: pipeline\n${step}${`---\nkind: pipeline\n${step}`.repeat(200)}`, 601],
  'step.name-missing': ['kind: pipeline\nsteps:\n- {image: x}\n', 3],
  'step.name-invalid': ['kind: pipeline\nsteps:\n- {name: clone, image: x}\n', 3],
  'step.name-duplicate': ['kind: pipeline\nsteps:\n- {name: s, image: x}\n- {name: s, image: x}\n', 4],
  'step.image-missing': ['kind: pipeline\nsteps:\n- {name: s}\n', 3],
  'step.command-map': ['kind: pipeline\nsteps:\n- name: s\n  image: x\n  commands:\n  - echo a: b\n', 6],
  'step.commands-and-entrypoint': ['kind: pipeline\nsteps:\n- {name: s, image: x, commands: [ls], command: [a]}\n', 3],
  'step.dependency-unknown': ['kind: pipeline\nsteps:\n- {name: s, image: x, depends_on: [a]}\n', 3],
  'step.dependency-later': [
    'kind: pipeline\nsteps:\n- {name: s, image: x, depends_on: [t]}\n- {name: t, image: x}\n',
    3,
  ],
  'step.dependency-on-clone': [
    'kind: pipeline\nclone: {disable: true}\nsteps:\n- {name: s, image: x, depends_on: [clone]}\n',
    4,
  ],
  'step.cycle': ['kind: pipeline\nsteps:\n- {name: s, image: x, depends_on: [s]}\n', 3],
  'step.timeout': ['kind: pipeline\nsteps:\n- {name: s, image: x, timeout: soon}\n', 3, '.gantry.yml'],
  'step.dependency-on-service': [
    'kind: pipeline\nservices: [{name: db, image: x}]\nsteps:\n- {name: s, image: x, commands: [ls], depends_on: [db]}\n',
    4,
  ],
  'step.host-name': [`kind: pipeline\nservices:\n- {name: "my db", image: x}\n${step}`, 3],
  'volume.name': [`kind: pipeline\nvolumes:\n- {name: workspace, temp: {}}\n${step}`, 3],
  'volume.unknown': ['kind: pipeline\nsteps:\n- {name: s, image: x, volumes: [{name: a, path: /a}]}\n', 3],
  'step.host-rights': ['kind: pipeline\nsteps:\n- {name: s, image: x, privileged: true}\n', 3],
  'step.untrusted': ['', 0],
  'step.privileged': ['', 0],
  'volume.host-path': [`kind: pipeline\nvolumes:\n- {name: a, host: {path: /var/run/docker.sock}}\n${step}`, 3],
  'volume.path': [
    'kind: pipeline\nvolumes: [{name: a, temp: {}}]\nsteps:\n- {name: s, image: x, volumes: [{name: a, path: a}]}\n',
    4,
  ],
  'volume.not-kept': ['when: {event: push}\nsteps:\n  s:\n    image: x\n    volumes: ["a:/a"]\n', 5, '.woodpecker.yml'],
  'include.failed': [`include: ci/a.yml\n---\nkind: pipeline\n${step}`, 1, '.gantry.yml'],
  'artifact.invalid': [`${reusable}  artifacts: [{name: a b, paths: [a]}]\n`, 6, '.gantry.yml'],
  'artifact.path': [`${reusable}  artifacts: [{name: a, paths: [../a]}]\n`, 6, '.gantry.yml'],
  'artifact.duplicate': [
    `${reusable}  artifacts:\n  - {name: a, paths: [a]}\n  - {name: a, paths: [b]}\n`,
    8,
    '.gantry.yml',
  ],
  'artifact.unknown': [`kind: pipeline\nuse: [dist]\n${step}`, 2, '.gantry.yml'],
  'cache.key': [`kind: pipeline\ncache: {key: '{{ sum "a" }}', paths: [a]}\n${step}`, 2, '.gantry.yml'],
  'cache.path': [`kind: pipeline\ncache: {key: k, paths: [/etc]}\n${step}`, 2, '.gantry.yml'],
  'cache.file-missing': ['', 0],
  'reuse.inputs': [`${reusable}  reuse: {inputs: [../a]}\n`, 6, '.gantry.yml'],
  'reuse.outputs': [`${reusable}  reuse:\n    inputs: [a]\n    outputs: ['*.js']\n`, 8, '.gantry.yml'],
  'reuse.not-possible': [`${reusable}  environment: {A: {from_secret: a}}\n  reuse: {inputs: [a]}\n`, 7, '.gantry.yml'],
  'environment.name': [`kind: pipeline\nenvironment: {"a=b": c}\n${step}`, 2],
  'environment.empty-dropped': [`kind: pipeline\nenvironment: {A: }\n${step}`, 2],
  'environment.map-dropped': ['kind: pipeline\nsteps:\n- {name: s, image: x, environment: {A: {b: c}}}\n', 3],
  'secret.value': [`kind: pipeline\n${step}---\nkind: secret\nname: a\n`, 4],
  'secret.duplicate': [
    `kind: pipeline\n${step}---\nkind: secret\nname: a\ndata: AAAA\n---\nkind: secret\nname: A\ndata: AAAA\n`,
    8,
  ],
  'secret.stored': ['', 0],
  'secret.closed': ['', 0],
  'secret.name': ['kind: pipeline\nsteps:\n- {name: s, image: x, environment: {A: {from_secret: ""}}}\n', 3],
  'condition.bare-value': [`kind: pipeline\ntrigger: {branch: {include: main}}\n${step}`, 2],
  'condition.glob': [`kind: pipeline\ntrigger: {branch: "["}\n${step}`, 2],
  'condition.paths': [`kind: pipeline\ntrigger: {paths: [a]}\n${step}`, 2],
  'condition.expression': ['when:\n  evaluate: "1 +"\nsteps: {s: {image: x}}\n', 2, '.woodpecker.yml'],
  'condition.no-event': ['steps: {s: {image: x}}\n', 1, '.woodpecker.yml'],
  'matrix.axis-ignored': ['matrix:\n  A: []\npipeline: {s: {image: x}}\n', 2],
  'matrix.axis-type': ['matrix:\n  A: 1\npipeline: {s: {image: x}}\n', 2],
  'matrix.cut': ['matrix:\n  A: [1,2,3,4,5,6]\n  B: [1,2,3,4,5,6]\npipeline: {s: {image: x}}\n', 1],
  'parameter.name': [`kind: pipeline\nparameters:\n  CI_X: {}\n${step}`, 3, '.gantry.yml'],
  'parameter.name-duplicate': [
    `kind: pipeline\nparameters: {A: }\n${step}---\nkind: pipeline\nname: b\nparameters:\n  A: {}\n${step}`,
    8,
    '.gantry.yml',
  ],
  'parameter.options': [`kind: pipeline\nparameters:\n  A: {type: choice}\n${step}`, 3, '.gantry.yml'],
  'parameter.pattern': [`kind: pipeline\nparameters:\n  A: {pattern: "("}\n${step}`, 3, '.gantry.yml'],
  'parameter.default': [`kind: pipeline\nparameters:\n  A: {type: number, default: x}\n${step}`, 3, '.gantry.yml'],
  'parameter.too-many': [
    `kind: pipeline\nparameters: {${Array.from({ length: 51 }, (_, index) => `P${index}: `).join(', ')}}\n${step}`,
    2,
    '.gantry.yml',
  ],
  'parameter.value': ['', 0],
  'matrix.axis-empty': [`kind: pipeline\nmatrix:\n  A: []\n${step}`, 3, '.gantry.yml'],
  'matrix.axis-name': [`kind: pipeline\nmatrix:\n  a-b: [1]\n${step}`, 3, '.gantry.yml'],
  'matrix.axis-unknown': [`kind: pipeline\nmatrix:\n  A: [1]\n  exclude: [{B: 1}]\n${step}`, 4, '.gantry.yml'],
  'matrix.empty': [`kind: pipeline\nmatrix: {A: [1], exclude: [{A: 1}]}\n${step}`, 2, '.gantry.yml'],
  'matrix.substitution': [`kind: pipeline\nmatrix:\n  A: ["\${DRONE_BRANCH}"]\n${step}`, 3, '.gantry.yml'],
  'matrix.too-large': [
    `kind: pipeline\nmatrix: {${['A', 'B', 'C'].map((name) => `${name}: [1, 2, 3, 4, 5, 6]`).join(', ')}}\n${step}`,
    2,
    '.gantry.yml',
  ],
  'matrix.value-duplicate': [`kind: pipeline\nmatrix:\n  A: [1, 1]\n${step}`, 3, '.gantry.yml'],
  'step.settings-and-commands': ['pipeline:\n  s:\n    image: x\n    commands: [ls]\n    comands: [ls]\n', 5],
  'step.dependency-filtered': ['', 0],
  'file.other-document': ['when: {event: push}\nsteps: {s: {image: x}}\n---\na: b\n', 4, '.woodpecker.yml'],
  'step.settings-and-environment': [
    'when: {event: push}\nsteps: {s: {image: x, settings: {a: b}, environment: {A: b}}}\n',
    2,
    '.woodpecker.yml',
  ],
  'key.deprecated': ['when: {event: push}\npipeline: {s: {image: x}}\n', 2, '.woodpecker.yml'],
  'build.beside': [
    'kind: pipeline\nsteps:\n- name: s\n  build: {image: r.example/a}\n  commands: [ls]\n',
    5,
    '.gantry.yml',
  ],
  'build.no-builder': ['', 0],
  'build.platform': [
    'kind: pipeline\nsteps:\n- name: s\n  image: plugins/docker\n  settings:\n    repo: a/b\n    platform: linux/s390x\n',
    7,
  ],
  'build.secret-argument': [
    'kind: pipeline\nsteps:\n- name: s\n  image: plugins/docker\n  settings:\n    repo: a/b\n    build_args: {from_secret: word}\n',
    7,
  ],
  'build.setting': [
    'kind: pipeline\nsteps:\n- name: s\n  image: plugins/docker\n  settings:\n    repo: a/b\n    storage_driver: vfs\n',
    7,
  ],
  'clone.refused': [
    'when: {event: push}\nclone:\n  git:\n    image: woodpeckerci/plugin-git\n    settings:\n      path: ../out\nsteps: {s: {image: x, commands: [ls]}}\n',
    6,
    '.woodpecker.yml',
  ],
  'clone.submodules': [
    'when: {event: push}\nclone:\n  git:\n    image: woodpeckerci/plugin-git\n    settings:\n      submodule_override: {a: ../b.git}\nsteps: {s: {image: x, commands: [ls]}}\n',
    6,
    '.woodpecker.yml',
  ],
  'condition.not-evaluated': [`kind: pipeline\ntrigger: {instance: a}\n${step}`, 2],
};

describe('lintPipelineFile', () => {
  // What an event decides is not seen here: a push to a plain branch has no unsafe value, and no step is left out. The
  // scenarios of the compiler show these.
  const codes = (Object.keys(lintRules) as LintCode[]).filter((code) => samples[code][1] > 0);

  it.each(codes)('finds %s at its line', (code) => {
    const [text, line, path = '.drone.yml'] = samples[code];
    const { findings, isValid } = lintPipelineFile(path, text);
    const found = findings.find((finding) => finding.code === code);
    expect(found, JSON.stringify(findings)).toMatchObject({ line });
    expect(isValid).toBe(findings.every((finding) => finding.severity === 'warning'));
    expect(found?.message).toMatch(/[^.]$/);
  });

  it('judges by the dialect where the two differ', () => {
    const text = `kind: pipeline\nstages: []\n${step}`;
    expect(lintPipelineFile('.drone.yml', text)).toMatchObject({ isValid: true, findings: [{ severity: 'warning' }] });
    expect(lintPipelineFile('.gantry.yml', text)).toMatchObject({ isValid: false, findings: [{ severity: 'error' }] });
  });

  it('shows what it could read, the checkout included', () => {
    const text = `kind: pipeline\nname: one\n${step}---\nkind: pipeline\nname: two\nclone: {disable: true}\n${step}`;
    expect(lintPipelineFile('.gantry.yml', text).workflows).toEqual([
      { name: 'one', steps: ['clone', 's'] },
      { name: 'two', steps: ['s'] },
    ]);
  });

  it('finds everything in one run, in the order of the file', () => {
    const text = 'kind: pipeline\nfoo: 1\nsteps:\n- name: s\n  image: [x]\n  bar: 2\n- {name: t}\n';
    expect(
      lintPipelineFile('.gantry.yml', text).findings.map(({ code, line, column }) => [code, line, column]),
    ).toEqual([
      ['key.unknown', 2, 1],
      ['value.type', 5, 10],
      ['key.unknown', 6, 3],
      ['step.image-missing', 7, 3],
    ]);
  });

  it('counts columns behind a byte order mark from the first character of the line', () => {
    expect(lintPipelineFile('.gantry.yml', `\uFEFFfoo: 1\nkind: pipeline\n${step}`).findings).toMatchObject([
      { code: 'key.unknown', line: 1, column: 1 },
    ]);
  });

  it('reads Windows line ends', () => {
    const text = `kind: pipeline\nname: win\n${step}`.replaceAll('\n', '\r\n');
    expect(lintPipelineFile('.gantry.yml', text)).toEqual({
      isValid: true,
      findings: [],
      workflows: [{ name: 'win', steps: ['clone', 's'] }],
    });
  });

  it('shows a hundred findings, and not thousands', () => {
    const text = `kind: pipeline\n${Array.from({ length: 500 }, (_, index) => `k${index}: v`).join('\n')}\n${step}`;
    const { findings } = lintPipelineFile('.drone.yml', text);
    expect(findings).toHaveLength(101);
    expect(findings.at(-1)).toMatchObject({ code: 'file.findings-cut', message: '400 more findings are not shown' });
    expect(lintPipelineFile('.drone.yml', `${text}steps: 7\n`).isValid).toBe(false);
  });

  it('finds nothing in the example project', () => {
    const text = readFileSync(new URL('../../examples/hello/.gantry.yml', import.meta.url), 'utf8');
    expect(lintPipelineFile('.gantry.yml', text)).toEqual({
      isValid: true,
      findings: [],
      workflows: [{ name: 'default', steps: ['clone', 'test', 'smoke'] }],
    });
  });
});
