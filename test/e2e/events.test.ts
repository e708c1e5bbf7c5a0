import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { openStore } from '../../src/store/open-store.ts';
import { GantryProcess } from '../support/gantry-process.ts';

const step = (name: string) => `  - {name: ${name}, image: base/busybox, commands: ["echo ${name} $COLOUR"]}\n`;
const file = `kind: pipeline
name: build
steps:
${step('compile')}---
kind: pipeline
name: test
depends_on: [build]
steps:
${step('unit')}---
kind: pipeline
name: docs
trigger: {event: {exclude: cron}}
steps:
${step('write')}---
kind: pipeline
name: nights
trigger: {event: cron, cron: night*}
steps:
${step('nightly')}`;

const slug = { owner: 'admin', project: 'shop' };

describe('events of a whole Gantry', () => {
  let gantry: GantryProcess;
  beforeAll(async () => {
    gantry = await GantryProcess.start();
    await gantry.createProject('shop');
    await gantry.push('shop', { '.gantry.yml': file });
    await gantry.finished('shop', 1);
  });
  afterAll(() => gantry.dispose());

  const gantrySays = async (...words: string[]): Promise<string> =>
    (await gantry.command(...words, '--project', 'admin/shop')).stdout;

  it('a push that asks for no pipeline has none, and the events say why', async () => {
    await gantry.push('shop', { 'a.txt': 'a' }, 'main', ['ci.skip']);
    await expect
      .poll(async () => (await gantry.client('listEvents', { params: slug })).items[0]?.why[0]?.rule, {
        timeout: 60_000,
      })
      .toBe('event.push-option');
    expect(await gantrySays('pipeline', 'why')).toContain('Nothing ran: the push asked for it with "-o ci.skip".');
    expect((await gantry.client('listPipelines', { params: slug })).items).toHaveLength(1);
  });

  it('a cron runs what the file says for it: now on request, and once for what was missed while no server ran', async () => {
    // Half a day away in Shanghai: it does not come by itself while this runs.
    const hour = String((new Date().getUTCHours() + 12 + 8) % 24).padStart(2, '0');
    const times = ['nightly', `0 ${hour} * * *`, '--zone', 'Asia/Shanghai'];
    const created = await gantry.command('cron', 'create', ...times, '--project', 'admin/shop');
    expect(created.stderr).toContain(`At ${hour}:00 every day. (Asia/Shanghai)`);
    const number = Number(await gantrySays('cron', 'run', 'nightly'));
    const run = await gantry.finished('shop', number);
    expect(run).toMatchObject({ status: 'passed', event: 'cron', cron: 'nightly', personName: 'admin' });
    expect(run.workflows.map(({ name }) => name)).toEqual(['build', 'test', 'nights']);

    await gantry.signalServer('SIGTERM');
    // As if three nights had gone by.
    const path = join(gantry.dataFolder, 'gantry.db');
    const store = await openStore({ kind: 'file', path }, { clock: systemClock, logger: silentLogger });
    const project = (await store.read.projects.findBySlug('admin', 'shop'))!;
    const cron = (await store.read.crons.findByName(project.id, 'nightly'))!;
    const missedAt = new Date(cron.nextAt!.getTime() - 3 * 86_400_000);
    await store.write(({ crons }) => crons.update(cron.id, { nextAt: missedAt }));
    await store.close();
    await gantry.startServer();
    const missed = await gantry.finished('shop', number + 1);
    expect(missed).toMatchObject({ status: 'passed', event: 'cron', cron: 'nightly', personName: '@cron' });
    const { items } = await gantry.client('listCrons', { params: slug });
    expect(items[0]?.last?.at).toBe(new Date(cron.nextAt!.getTime() - 86_400_000).toISOString());
    expect(items[0]?.next?.at).toBe(cron.nextAt!.toISOString());
    expect(await gantrySays('cron', 'list')).toContain(`nightly\tmain\t0 ${hour} * * *\tAsia/Shanghai\t`);
    await gantry.command('cron', 'disable', 'nightly', '--project', 'admin/shop');
    await gantry.command('cron', 'delete', 'nightly', '--yes', '--project', 'admin/shop');
    expect((await gantry.client('listCrons', { params: slug })).items).toEqual([]);
  });

  it('a rerun of one workflow keeps the others, and one with parameters is a new pipeline that can be compared', async () => {
    await gantry.command('pipeline', 'rerun', '1', '--workflow', 'test', '--watch', '--project', 'admin/shop');
    const again = await gantry.finished('shop', 1);
    expect(again.workflows.map(({ name, attempt }) => `${name} ${attempt}`)).toEqual(['build 1', 'test 2', 'docs 1']);
    expect(await gantrySays('pipeline', 'why', '1')).toContain(
      'Run again by admin: a workflow and what hangs on it (test). Kept as they were: build, docs.',
    );

    const repeated = JSON.parse(await gantrySays('pipeline', 'rerun', '1', '--param', 'COLOUR=blue', '--json')) as {
      number: number;
    };
    const second = await gantry.finished('shop', repeated.number);
    expect(second).toMatchObject({ status: 'passed', event: 'push', parent: 1, parameters: { COLOUR: 'blue' } });
    const diff = await gantrySays('pipeline', 'diff', '1', String(repeated.number));
    expect(diff).toContain('parameter COLOUR');
    expect(diff).toContain('– → blue');
  });

  it('the logs of a pipeline come as one file, and a badge tells how its branch stands', async () => {
    await gantry.command('logs', '1', '--output', 'all.txt', '--project', 'admin/shop');
    const text = await readFile(join(gantry.folder, 'all.txt'), 'utf8');
    expect(text).toMatch(/── build\/compile\n[\s\S]*── test\/unit\n[\s\S]*── docs\/write\n/);
    const get = (path: string, token = gantry.token): Promise<Response> =>
      fetch(`${gantry.url}/api/v1/projects/admin/shop${path}`, { headers: { Authorization: `Bearer ${token}` } });
    expect(await (await get('/pipelines/1/log')).text()).toMatch(/── build\/compile: passed\n[\s\S]*\+ echo compile/);
    expect(await (await get('/badge.svg')).text()).toContain('<title>Pipeline of main: passed</title>');
    expect((await fetch(`${gantry.url}/api/v1/projects/admin/shop/badge.svg`)).status).toBe(404);
  });
});
