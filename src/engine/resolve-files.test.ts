import { describe, expect, it } from 'vitest';
import { compileInputOf } from '../../test/support/compile-input.ts';
import type { CompileInput } from './compile-input.ts';
import { CompileProcess } from './compile-process.ts';
import { resolveFiles } from './resolve-files.ts';

const twoDocuments = `# written by hand
kind: pipeline
name: test
steps:
  - name: unit
    image: base/node:\${NODE_VERSION:-24}
    commands: ["echo $\${HOME} \${GANTRY_BRANCH}"]
---
kind: secret
name: token
---
kind: pipeline
name: ship
steps:
  - name: push
    image: base/busybox
    environment:
      NUMBER: "\${GANTRY_PIPELINE_NUMBER}"
      TOKEN: {from_secret: token}
    commands: [./push]
`;

describe('resolveFiles', () => {
  it('shows each document as it reads, and says which lines are not as written', () => {
    const [file] = resolveFiles(compileInputOf('.gantry.yml', twoDocuments));
    expect(file).toMatchObject({ path: '.gantry.yml', written: twoDocuments, readingsLeftOut: 0 });
    expect(file?.readings).toHaveLength(1);
    const [reading] = file?.readings ?? [];
    expect(reading?.text).toBe(
      twoDocuments
        .replace('${NODE_VERSION:-24}', '24')
        .replace('$${HOME} ${GANTRY_BRANCH}', '${HOME} main')
        .replace('${GANTRY_PIPELINE_NUMBER}', '1'),
    );
    expect(reading?.changedLines).toEqual([6, 7, 18]);
  });

  it('knows no secret: a file names them and no more', () => {
    const input: CompileInput = { ...compileInputOf('.gantry.yml', twoDocuments), secretNames: ['token'] };
    expect(JSON.stringify(resolveFiles(input))).toContain('from_secret: token');
  });

  it('shows one reading for all sets of a matrix that read the same, and names those that do not', () => {
    const text = `matrix:
  GO: ["1.21", "1.22"]
  DB: [pg, mysql]
steps:
  test:
    image: golang:\${GO}
    commands: [go test]
`;
    const [file] = resolveFiles(compileInputOf('.woodpecker.yml', text));
    expect(file?.readings.map(({ workflows, changedLines }) => [workflows.toSorted(), changedLines])).toEqual([
      [['DB=mysql GO=1.21', 'DB=pg GO=1.21'], [6]],
      [['DB=mysql GO=1.22', 'DB=pg GO=1.22'], [6]],
    ]);
    expect(file?.readings[1]?.text).toContain('image: golang:1.22');
  });

  it('shows no more readings of a large matrix than anybody looks at, and says how many there are', () => {
    const values = Array.from({ length: 25 }, (_, at) => `v${at}`);
    const text = `matrix:\n  V: [${values.join(', ')}]\nsteps:\n  test:\n    image: x:\${V}\n    commands: [true]\n`;
    const [file] = resolveFiles(compileInputOf('.woodpecker.yml', text));
    expect([file?.readings.length, file?.readingsLeftOut]).toEqual([20, 5]);
  });

  it('shows what is written of a file whose substitution cannot be read', () => {
    const [file] = resolveFiles(compileInputOf('.gantry.yml', 'kind: pipeline\nname: ${A\n'));
    expect(file).toMatchObject({ written: 'kind: pipeline\nname: ${A\n', readings: [] });
  });

  it('is answered by the process that compiles, which tells of a file that is too large', async () => {
    const process = new CompileProcess();
    try {
      const { files } = await process.resolve(compileInputOf('.gantry.yml', twoDocuments));
      expect(files[0]?.readings[0]?.changedLines).toEqual([6, 7, 18]);
      const large = await process.resolve(compileInputOf('.gantry.yml', 'x'.repeat(300_000)));
      expect(large.problem).toMatch(/300000 bytes/);
    } finally {
      await process.close();
    }
  });
});
