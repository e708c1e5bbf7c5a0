import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunResult, runCommand } from '../../test/support/cli-fixture.ts';
import { lintPipelineFile } from '../engine/lint.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-import-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), text);
}

function run(...words: readonly string[]): Promise<RunResult> {
  return runCommand(['import', ...words], { folder });
}

const drone08 = `pipeline:
  test:
    image: node:24
    commands:
      - npm ci
      - echo "it's here"
  notify:
    image: plugins/slack
    channel: dev
    when: {status: [success, failure]}
  deploy_lgdev:
    image: base/busybox
    commands: [./deploy]
    secrets: [deploy_key]
    when: {event: deployment, environment: deploy_lgdev}
`;

describe('gantry import', () => {
  it('prints the file, and beside it what became of each part', async () => {
    write('.drone.yml', drone08);
    const { code, stdout, stderr } = await run('drone');
    expect(stdout).toContain(
      '  - name: deploy_lgdev\n    image: base/busybox\n    environment:\n      DEPLOY_KEY:\n        from_secret: deploy_key\n    commands:\n      - ./deploy\n    when:\n',
    );
    expect(stdout).toContain('event:\n        - promote\n        - rollback\n      target: deploy_lgdev\n');
    expect(stdout).toContain('settings:\n      channel: dev\n');
    expect(lintPipelineFile('.gantry.yml', stdout)).toMatchObject({ isValid: true });
    expect(stderr).toContain('✓ carried  .drone.yml:2  step "test"\n');
    expect(stderr).toMatch(
      /! carried, with a remark {2}\.drone\.yml:11 {2}step "deploy_lgdev": a secret that is missing/,
    );
    expect(code).toBe(0);
    expect(existsSync(join(folder, '.gantry.yml'))).toBe(false);
  });

  it('tells in Chinese what became of each part', async () => {
    write('.drone.yml', drone08);
    const { stderr } = await runCommand(['import', 'drone'], { folder, environment: { LANG: 'zh_CN.UTF-8' } });
    expect(stderr).toContain('✓ 已转换  .drone.yml:2  步骤“test”\n');
    expect(stderr).toContain('步骤“deploy_lgdev”: 缺少密钥时，在第一个步骤之前即报错\n');
  });

  it('writes sizes as people do, and means what the file meant', async () => {
    const fileOf = (memory: string, shm: string): string =>
      `kind: pipeline\nname: train\nsteps:\n- name: fit\n  image: x\n  commands: [a]\n  mem_limit: ${memory}\n  shm_size: ${shm}\n` +
      '  volumes: [{name: scratch, path: /scratch}]\nvolumes:\n- {name: scratch, temp: {medium: memory, size_limit: 1536Mi}}\n';
    write('.drone.yml', fileOf('2gb', '256m'));
    const { stdout } = await run('drone');
    expect(stdout).toContain("memory: '2GiB'\n");
    expect(stdout).toContain("shm_size: '256MiB'\n");
    expect(stdout).toContain("size_limit: '1536MiB'\n");
    expect(lintPipelineFile('.gantry.yml', stdout)).toMatchObject({ isValid: true });

    write('.drone.yml', fileOf("'1000000001'", '1026k'));
    const odd = (await run('drone')).stdout;
    expect(odd).toContain("memory: '1000000001'\n");
    expect(odd).toContain("shm_size: '1026KiB'\n");
    expect(lintPipelineFile('.gantry.yml', odd)).toMatchObject({ isValid: true });
  });

  it('keeps a matrix where only its values differ, conditions on it, and the concurrency of Drone 1.x', async () => {
    write(
      '.drone.yml',
      'pipeline:\n  test:\n    image: golang:${GO}\n    commands: [go test]\n    when: {matrix: {GO: "1.21"}}\n' +
        'matrix:\n  GO: ["1.20", "1.21"]\n  DB: [pg, my]\n',
    );
    const { stdout, stderr } = await run('drone');
    expect(stdout).toContain(
      "matrix:\n  DB:\n    - pg\n    - my\n  GO:\n    - '1.20'\n    - '1.21'\nsteps:\n  - name: test\n    image: 'golang:${GO}'\n",
    );
    expect(stdout).toContain("when:\n      matrix:\n        GO: '1.21'\n");
    expect(stderr).toContain('✓ carried  .drone.yml:2  step "test"\n');
    expect(lintPipelineFile('.gantry.yml', stdout)).toMatchObject({ isValid: true, workflows: { length: 4 } });

    // A value that is no text changes what the file says, so each set is written out.
    write(
      '.drone.yml',
      'pipeline:\n  s:\n    image: x\n    detach: ${D}\n    commands: [a]\nmatrix:\n  D: [true, false]\n',
    );
    const apart = await run('drone');
    expect(apart.stdout).not.toContain('matrix:');
    expect(apart.stderr).toContain('a pipeline for each set of the matrix');

    write(
      '.drone.yml',
      'kind: pipeline\nname: a\nconcurrency: {limit: 2}\nsteps: [{name: s, image: x, commands: [a]}]\n',
    );
    const one = await run('drone');
    expect(one.stdout).toContain('concurrency:\n  limit: 2\n');
    expect(one.stderr).toContain('✓ carried  .drone.yml:1  pipeline "a"\n');
  });

  it('keeps what ${…} stands for, and what the shell is to see', async () => {
    write(
      '.drone.yml',
      'kind: pipeline\nsteps:\n- name: s\n  image: "x:${DRONE_COMMIT_SHA:0:8}"\n  commands:\n  - echo $${HOME} $$ a\\/b\n',
    );
    const { stdout } = await run('drone');
    expect(stdout).toContain("image: 'x:${DRONE_COMMIT_SHA:0:8}'\n");
    expect(stdout).toContain("- 'echo $${HOME} $ a/b'\n");
  });

  it('names what is not carried with its line, ends with 1, and lets it never run', async () => {
    write(
      '.woodpecker/test.yml',
      'when:\n  event: push\nsteps:\n  - name: a\n    image: x\n    commands: [ls]\n    when:\n      evaluate: \'CI_COMMIT_BRANCH == "main"\'\n',
    );
    const { code, stdout, stderr } = await run('woodpecker');
    expect(code).toBe(1);
    expect(stderr).toContain(
      '✗ not carried  .woodpecker/test.yml:4  step "a": its condition "evaluate: CI_COMMIT_BRANCH == ',
    );
    expect(stdout).toContain('    when:\n      event: none\n');
  });

  it('writes the file on request, and replaces none without --force', async () => {
    write('.drone.yml', drone08);
    expect((await run('drone', '--write')).code).toBe(0);
    const written = readFileSync(join(folder, '.gantry.yml'), 'utf8');
    expect(written.startsWith('kind: pipeline\n')).toBe(true);
    const again = await run('drone', '--write');
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('.gantry.yml: it is there already')]);
    expect((await run('drone', '--write', '--force')).code).toBe(0);
  });

  it('refuses a file that does not run where it is, at its line', async () => {
    write('.drone.yml', 'kind: pipeline\nsteps:\n- {name: s}\n');
    const { code, stdout, stderr } = await run('drone');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('.drone.yml:3:3: error step "s" needs an image');
  });

  it('says when there is nothing to import, and knows two systems', async () => {
    expect((await run('drone')).stderr).toContain('PIPELINE_FILE_MISSING');
    expect((await run('jenkins')).code).toBe(2);
  });
});
