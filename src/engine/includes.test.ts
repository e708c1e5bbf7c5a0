import { describe, expect, it } from 'vitest';
import { expandIncludes, findIncludes, includeLimits, placeOfLine, readIncludes } from './includes.ts';
import { lintPipelineFile } from './lint.ts';

const pipeline = (name: string): string =>
  `kind: pipeline\nname: ${name}\nsteps:\n- {name: s, image: x, commands: [ls]}\n`;

describe('include', () => {
  it('is read by lines: a path, a list, maps in one line and in several', () => {
    const text = `# ours
include:
  - ci/a.yml  # first
  - {project: tools/ci, ref: v1.2, file: "node/b.yml"}
  - project: tools/ci
    ref: '0123456789012345678901234567890123456789'
    file: c.yml
---
${pipeline('own')}---
include: ci/d.yml
`;
    const { documents, faults } = findIncludes(text);
    expect(faults).toEqual([]);
    expect(documents.flatMap(({ items }) => items)).toMatchObject([
      { file: 'ci/a.yml', line: 3 },
      { project: 'tools/ci', ref: 'v1.2', file: 'node/b.yml', line: 4 },
      { project: 'tools/ci', ref: '0123456789012345678901234567890123456789', file: 'c.yml', line: 5 },
      { file: 'ci/d.yml', line: 14 },
    ]);
  });

  it.each([
    ['include: ../a.yml', 'is no path'],
    ['include: /etc/passwd', 'is no path'],
    ['include: {project: a/b, file: c.yml}', 'needs "ref"'],
    ['include: {project: a, ref: v1, file: c.yml}', 'is no project'],
    ['include: {ref: v1, file: c.yml}', '"ref" goes with "project"'],
    ['include: {file: c.yml, when: push}', 'is nothing that an include has'],
    ['include: "a-${NAME}.yml"', 'before "${…}" is replaced'],
    ['include:', 'names no file'],
    ['include: a.yml\nsteps: []', 'cannot be read'],
  ])('refuses %j', (text, message) => {
    const { findings, isValid } = lintPipelineFile('.gantry.yml', `${text}\n---\n${pipeline('own')}`);
    expect(isValid).toBe(false);
    if (message !== 'cannot be read') expect(findings[0]?.message).toContain(message);
  });

  it('puts documents in its place, and finds what is wrong with them at its line', () => {
    const text = `${pipeline('own')}---\ninclude: [a.yml]\n`.replace('[a.yml]', 'a.yml');
    const expanded = expandIncludes(text, [{ name: 'a.yml', text: pipeline('a').replace('image: x', 'imag: x') }])!;
    expect(expanded.faults).toEqual([]);
    expect(expanded.text.match(/^name: .*$/gm)).toEqual(['name: own', 'name: a']);
    const [own, other] = ['name: own', 'name: a'].map((line) => expanded.text.split('\n').indexOf(line) + 1);
    expect(placeOfLine(expanded.lines, own!)).toEqual({ line: 2 });
    expect(placeOfLine(expanded.lines, other!)).toEqual({
      line: 6,
      within: { path: 'a.yml', line: 2, chain: [{ line: 6 }] },
    });
    const includes = [{ name: 'a.yml', text: pipeline('a').replace('image: x', 'imag: x') }];
    const { findings } = lintPipelineFile('.gantry.yml', text, undefined, includes);
    expect(findings.map(({ line, message, included }) => [line, message.split(': ')[0], included])).toEqual(
      [2, 3].map((column) => [
        6,
        'a.yml:4',
        {
          path: 'a.yml',
          line: 4,
          column: column === 2 ? 3 : 13,
          text: '- {name: s, imag: x, commands: [ls]}',
          chain: [{ line: 6 }],
        },
      ]),
    );
  });

  it('tells each include on the way to what is wrong, in files of other projects too', () => {
    const includes = [
      { name: 'a.yml', text: `# first\n\ninclude:\n  project: t/c\n  ref: v1\n  file: b.yml\n---\n${pipeline('a')}` },
      { name: 't/c@v1:b.yml', text: `${pipeline('b')}---\ninclude: c.yml\n` },
      { name: 't/c@v1:c.yml', text: pipeline('c').replace('name: s', 'name: s, depends_on: [nothing]') },
    ];
    const { findings } = lintPipelineFile('.gantry.yml', 'include: a.yml\n', undefined, includes);
    expect(findings).toMatchObject([
      {
        code: 'step.dependency-unknown',
        line: 1,
        included: {
          path: 't/c@v1:c.yml',
          line: 4,
          chain: [{ line: 1 }, { path: 'a.yml', line: 4 }, { path: 't/c@v1:b.yml', line: 6 }],
        },
      },
    ]);
    const missing = lintPipelineFile('.gantry.yml', 'include: a.yml\n', undefined, [
      { name: 'a.yml', text: `${pipeline('a')}---\ninclude:\n- none.yml\n- {file: b.yml, when: push}\n` },
      { name: 'none.yml', fault: 'there is no such file' },
    ]);
    expect(missing.findings.map(({ line, message, included }) => [line, message, included?.text])).toEqual([
      [1, 'a.yml:7: "none.yml" cannot be included: there is no such file', '- none.yml'],
      [1, 'a.yml:8: "when: push" is nothing that an include has: project, ref, file', '- {file: b.yml, when: push}'],
      [
        1,
        'a.yml:8: "b.yml" cannot be included: it is looked up where the project is known: run "gantry lint" in the clone, or push',
        '- {file: b.yml, when: push}',
      ],
    ]);
  });

  it('tells the file of what is found only when all is read: a name that stands twice, a build, a parameter', () => {
    const text = `kind: pipeline\nname: own\nsteps:\n- {name: s, image: x, commands: [ls]}\n---\ninclude: a.yml\n`;
    const a = `kind: pipeline\nname: own\nsteps:\n- {name: i, image: plugins/heroku}\n`;
    const { findings } = lintPipelineFile('.gantry.yml', text, undefined, [{ name: 'a.yml', text: a }]);
    expect(findings.map(({ code, included }) => [code, included?.line])).toEqual([
      ['workflow.name-duplicate', 1],
      ['key.unsupported', 4],
    ]);
    const { findings: twice } = lintPipelineFile('.gantry.yml', 'include: a.yml\n', undefined, [
      {
        name: 'a.yml',
        text: 'kind: pipeline\nsteps:\n- {name: s, image: x, commands: [ls]}\n- {name: s, image: x, commands: [ls]}\n',
      },
    ]);
    expect(twice[0]?.message).toBe('a.yml:4: a step named "s" stands in line 3 of a.yml already');
  });

  it('keeps the lines of the file itself behind an include', () => {
    const text = `include: a.yml\n---\nkind: pipeline\nsteps:\n- {name: s, imag: x}\n`;
    const { findings } = lintPipelineFile('.gantry.yml', text, undefined, [{ name: 'a.yml', text: pipeline('a') }]);
    expect(new Set(findings.map(({ line }) => line))).toEqual(new Set([5]));
  });

  it('goes on in included files, from the project in which they stand, no deeper than allowed and never in a circle', async () => {
    const files: Record<string, string> = {
      'a.yml': 'include: {project: t/c, ref: v1, file: x.yml}\n',
      't/c@v1:x.yml': `include: y.yml\n---\n${pipeline('x')}`,
      't/c@v1:y.yml': pipeline('y'),
      'loop.yml': 'include: loop.yml\n',
      'deep.yml': 'include: a.yml\n',
    };
    const asked: string[] = [];
    const read = async (_request: unknown, name: string) => {
      asked.push(name);
      return { text: files[name], fault: 'there is no such file' };
    };
    const texts = await readIncludes('include: a.yml\n', read);
    expect(asked).toEqual(['a.yml', 't/c@v1:x.yml', 't/c@v1:y.yml']);
    expect(expandIncludes('include: a.yml\n', texts)).toMatchObject({ faults: [] });
    const faultsOf = async (text: string) =>
      expandIncludes(text, await readIncludes(text, read))!.faults.map(({ message }) => message);
    expect(await faultsOf('include: loop.yml\n')).toEqual(['"loop.yml" cannot be included: it includes itself']);
    expect(await faultsOf('include: deep.yml\n')).toEqual([
      `"t/c@v1:y.yml" cannot be included: files include each other more than ${includeLimits.depth} deep`,
    ]);
    expect(await faultsOf('include: none.yml\n')).toEqual(['"none.yml" cannot be included: there is no such file']);
  });

  it('is held to a number of files and a size of them all', async () => {
    const many = `include:\n${Array.from({ length: 60 }, (_, i) => `  - f${i}.yml\n`).join('')}`;
    const texts = await readIncludes(many, async (_, name) => ({ text: pipeline(name) }));
    expect(texts).toHaveLength(includeLimits.files);
    expect(expandIncludes(many, texts)!.faults[0]!.message).toContain('may include 50 files');
    const large = [{ name: 'a.yml', text: '#'.repeat(includeLimits.bytes + 1) }];
    expect(expandIncludes('include: a.yml\n', large)!.faults[0]!.message).toContain('bytes with all that it includes');
  });
});
