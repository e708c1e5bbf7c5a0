import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/api/client.ts';
import { GantryProcess } from '../support/gantry-process.ts';

const run = promisify(execFile);
const workflow = (name: string, word = name): string => `kind: pipeline
name: ${name}
clone: {disable: true}
steps:
- name: say
  image: x
  commands: [echo ${word}]
`;

describe('include of .gantry.yml, on a whole server', () => {
  let gantry: GantryProcess;
  let pinned = '';
  beforeAll(async () => {
    gantry = await GantryProcess.start();
    const { client } = gantry;
    for (const [name, visibility] of [
      ['ci', 'internal'],
      ['hidden', 'private'],
    ] as const) {
      await client('createProject', { body: { owner: 'admin', name, visibility } });
      pinned = await gantry.push(name, {
        'node/build.yml': `include: common.yml\n---\n${workflow('build', 'pinned')}`,
        'common.yml': workflow('common'),
      });
    }
    const tree = join(gantry.folder, 'tree-ci');
    const address = `${gantry.url.replace('http://', `http://admin:${gantry.token}@`)}/admin/ci.git`;
    pinned = (await run('git', ['rev-parse', 'HEAD'], { cwd: tree })).stdout.trim();
    await run('git', ['push', '-q', address, 'HEAD:refs/tags/v1'], { cwd: tree });
    await gantry.push('ci', { 'node/build.yml': workflow('build', 'newer') });
  });
  afterAll(() => gantry.dispose());

  it('puts files of this and of another project in its place, and shows what was read', async () => {
    const { client } = gantry;
    await gantry.createProject('shop');
    const file = `include:\n  - ci/own.yml\n  - {project: admin/ci, ref: v1, file: node/build.yml}\n---\n${workflow('last')}depends_on: [build, own]\n`;
    await gantry.push('shop', { '.gantry.yml': file, 'ci/own.yml': workflow('own') });
    const pipeline = await gantry.finished('shop', 1);
    expect(pipeline.status, JSON.stringify(pipeline)).toBe('passed');
    expect(pipeline.workflows.map(({ name }) => name)).toEqual(['own', 'common', 'build', 'last']);
    const params = { owner: 'admin', project: 'shop', number: 1 };
    const { files } = await client('getPipelineYaml', { params });
    const [{ written, readings } = { written: '', readings: [] }] = files;
    expect(written).toBe(file);
    expect(readings[0]?.text).toContain(`# admin/ci@v1:node/build.yml (${pinned})\n`);
    expect(readings[0]?.text).toContain('echo pinned');

    // The tag is gone, and the pipeline knows what it was made of.
    const tree = join(gantry.folder, 'tree-ci');
    const address = `${gantry.url.replace('http://', `http://admin:${gantry.token}@`)}/admin/ci.git`;
    await run('git', ['push', '-q', address, ':refs/tags/v1'], { cwd: tree });
    expect((await client('getPipelineYaml', { params })).files[0]?.readings[0]?.text).toContain('echo pinned');
    await client('rerunPipeline', { params, body: {}, idempotencyKey: 'again' });
    expect((await gantry.finished('shop', 1)).status).toBe('passed');
    await gantry.push('shop', { 'other.txt': '1' });
    const without = await gantry.finished('shop', 2);
    expect(without.error).toMatchObject({ line: 3 });
    expect(without.error?.message).toContain('admin/ci has no tag "v1"');

    await gantry.push('shop', { '.gantry.yml': file.replace('ref: v1', `ref: ${pinned}`) });
    expect((await gantry.finished('shop', 3)).status).toBe('passed');
  });

  it.each([
    ['{project: admin/ci, ref: main, file: common.yml}', '"main" is a branch of admin/ci, which changes'],
    ['{project: admin/hidden, ref: v1, file: common.yml}', 'there is no project "admin/hidden" that all who may read'],
    ['{project: admin/none, ref: v1, file: common.yml}', 'there is no project "admin/none" that all who may read'],
    ['ci/none.yml', 'has no such file'],
    ['../../etc/passwd', 'is no path from the top of a repository'],
  ])('refuses %s at its line', async (item, message) => {
    const project = `refused-${message.replaceAll(/[^a-z]/g, '').slice(0, 20)}${item.length}`;
    await gantry.createProject(project);
    await gantry.push(project, { '.gantry.yml': `include:\n  - ${item}\n---\n${workflow('own')}` });
    const pipeline = await gantry.finished(project, 1);
    expect(pipeline.status).toBe('failed');
    expect(pipeline.error).toMatchObject({ line: 2 });
    expect(pipeline.error?.message).toContain(message);
  });

  it('tells what is wrong with an included file in the language of the reader', async () => {
    await gantry.createProject('spelt');
    const part = workflow('part').replace('commands', 'comands');
    await gantry.push('spelt', { '.gantry.yml': 'include: ci/part.yml\n', 'ci/part.yml': part });
    const params = { owner: 'admin', project: 'spelt', number: 1 };
    const { error } = await gantry.finished('spelt', 1);
    expect(error?.message).toBe('Cannot run .gantry.yml: ci/part.yml:7: a step has no key "comands"');
    const headers = { Authorization: `Bearer ${gantry.token}`, 'Accept-Language': 'zh-CN' };
    const inChinese = createClient(gantry.url, () => headers);
    const told = '无法运行 .gantry.yml：ci/part.yml:7: 未知的键：comands';
    expect((await inChinese('getPipeline', { params })).error?.message).toBe(told);
    const { items } = await inChinese('explainPipeline', { params });
    const entry = items.find(({ rule }) => rule === 'file.invalid');
    expect(entry?.sentence).toBe('.gantry.yml 第 1 行第 1 列：ci/part.yml:7: 未知的键：comands。');
    expect(entry?.values).toMatchObject({ code: 'key.unknown', within: 'ci/part.yml:7' });
  });
});
