import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContainerEngine, findEngineHindrance } from '../support/container-engine.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { Someone } from '../support/someone.ts';

const run = promisify(execFile);

const file = `kind: pipeline
name: default
services:
  - {name: web, image: base/busybox, commands: [mkdir /www, echo served > /www/page, exec httpd -f -p 8080 -h /www], ports: [8080]}
steps:
  - {name: write, image: base/busybox, commands: [cat hello.txt, echo more >> hello.txt]}
  - {name: read, image: base/busybox, commands: [tail -n 1 hello.txt, 'wget -qO- http://web:8080/page']}
  - {name: secret, image: base/busybox, environment: {TOKEN: {from_secret: token}}, commands: ['test "$TOKEN" = s3cr3t-value', 'echo "$TOKEN"']}
  - {name: git, image: base/git, commands: [git status --short, 'git log --format=%s -1']}
`;

for (const kind of ['docker', 'podman'] as const) {
  const hindrance = findEngineHindrance(kind);
  const title = `pipelines in ${kind}`;
  if (hindrance) {
    describe.skip(title, () => it(`are not tested here: ${hindrance}`, () => {}));
    continue;
  }
  describe(title, () => {
    let engine: ContainerEngine;
    let gantry: GantryProcess;
    let ann: Someone;

    beforeAll(async () => {
      engine = await ContainerEngine.start(kind);
      gantry = await GantryProcess.start({ runtime: 'docker', settings: { GANTRY_DOCKER_HOST: engine.address } });
      await gantry.createProject('shop');
      await gantry.client('setSecret', {
        params: { owner: 'admin', project: 'shop', name: 'token' },
        body: { value: 's3cr3t-value' },
      });
    });
    afterAll(async () => {
      await gantry?.dispose();
      await engine?.dispose();
    });

    it('run from a push to the end: checkout, workspace, services, secrets', async () => {
      await gantry.push('shop', { '.gantry.yml': file, 'hello.txt': 'hello from the repository\n' });
      const pipeline = await gantry.finished('shop', 1, 120_000);
      const logs = new Map<string, string>();
      for (const step of pipeline.steps) logs.set(step.name, await gantry.log('shop', 1, step.id));
      expect(pipeline.status, JSON.stringify([...logs], undefined, 1)).toBe('passed');
      expect(logs.get('clone')).toContain('Change .gantry.yml, hello.txt');
      expect(logs.get('write')).toContain('hello from the repository');
      expect(logs.get('read')).toContain('more\n');
      expect(logs.get('read')).toContain('served');
      expect(logs.get('secret')).not.toContain('s3cr3t-value');
      // The step before wrote to it.
      expect(logs.get('git')).toContain(' M hello.txt');
      expect(logs.get('git')).toContain('Change .gantry.yml');
    });

    it('tell an image that does not exist from a registry that does not answer', async () => {
      const images = `kind: pipeline
name: default
clone: {disable: true}
steps:
  - {name: absent, image: base/nothing, commands: [make], failure: ignore}
  - {name: silent, image: '127.0.0.1:9/app:1', commands: [make]}
`;
      await gantry.push('shop', { '.gantry.yml': images });
      const { steps } = await gantry.finished('shop', 2, 120_000);
      const [absent, silent] = ['absent', 'silent'].map((name) => steps.find((step) => step.name === name)!);
      expect(absent!.status).toBe('failed');
      expect(await gantry.log('shop', 2, absent!.id)).toContain('there is no such base image');
      expect(silent!.status).toBe('infrastructure');
      expect(await gantry.log('shop', 2, silent!.id)).toContain('127.0.0.1:9');
    });

    it('of a fork print all that they can reach, and none of it is a secret', async () => {
      const canary = 's3cr3t-value';
      const prying = [
        'kind: pipeline',
        'name: default',
        'services:',
        '  - name: web',
        '    image: base/busybox',
        '    environment: {TOKEN: {from_secret: token}}',
        "    commands: ['mkdir /tmp/www; env > /tmp/www/env; exec httpd -f -p 8080 -h /tmp/www']",
        '    ports: [8080]',
        'steps:',
        '  - name: pry',
        '    image: base/busybox',
        '    environment: {TOKEN: {from_secret: token}, WRITTEN: {from_secret: written}}',
        '    commands:',
        '      - \'printf %s "$TOKEN$WRITTEN" | wc -c\'',
        "      - 'env | rev'",
        '      - \'for each in /proc/[0-9]*/environ; do tr "\\0" "\\n" < $each | rev; done 2>/dev/null || true\'',
        "      - 'for each in 1 2 3 4 5 6 7 8 9 10; do wget -qO /tmp/env http://web:8080/env && break; sleep 1; done; rev /tmp/env'",
        '      - \'find / -xdev -type f -size -64k ! -path "/proc/*" ! -path "/sys/*" -exec cat {} + 2>/dev/null | rev | grep -c "eulav[-]t3rc3s" || true\'',
        '',
      ].join('\n');
      const params = { owner: 'admin', project: 'shop' };
      await gantry.client('updateProject', { params, body: { visibility: 'internal' } });
      await gantry.client('setSecret', {
        params: { ...params, name: 'token' },
        body: { value: canary, pullRequests: 'forks' },
      });
      const { data } = await gantry.client('encryptValue', { params, body: { value: `${canary}-of-the-file` } });
      ann = await Someone.make(gantry, 'ann');
      await ann.client('createProject', { body: { owner: 'ann', name: 'shop', visibility: 'internal' } });
      // What .gantry.yml asks for it must have: Drone leaves a secret unset that is not given.
      const files = { '.drone.yml': `${prying}---\nkind: secret\nname: written\ndata: ${data}\n` };
      await ann.push('admin/shop', 'ann/shop', 'fix', files, ['.gantry.yml']);
      const before = (await gantry.client('listPipelines', { params, query: {} })).items[0]!.number;
      await ann.client('openPullRequest', { params, body: { source: 'ann/shop', sourceBranch: 'fix' } });
      const waiting = await gantry.until('shop', before + 1, ({ status }) => status === 'blocked');
      expect(waiting.approval).toBe('waiting');
      await gantry.command('pipeline', 'approve', String(before + 1), '--yes', '--project', 'admin/shop');
      const pipeline = await gantry.finished('shop', before + 1, 120_000);
      const pry = pipeline.steps.find(({ name }) => name === 'pry')!;
      const log = await gantry.log('shop', pipeline.number, pry.id);
      expect(pipeline.status, log).toBe('passed');
      expect(log).toMatch(/^0$/m);
      expect(log).not.toContain(canary);
      expect(log).not.toContain('eulav-t3rc3s');
      expect(log.trimEnd().split('\n').at(-1)).toBe('0');
    });

    it('of a fork find no cache of the project, and leave none to it', async () => {
      const params = { owner: 'admin', project: 'shop' };
      const caching = (commands: readonly string[], environment = '{}') =>
        [
          'kind: pipeline',
          'name: default',
          'steps:',
          '  - name: keep',
          '    image: base/busybox',
          `    environment: ${environment}`,
          '    cache: {key: shared, paths: [kept]}',
          `    commands: ${JSON.stringify(commands)}`,
          '',
        ].join('\n');
      const run = async (begin: () => Promise<unknown>, isApproved = false): Promise<string> => {
        const before = (await gantry.client('listPipelines', { params, query: {} })).items[0]!.number;
        await begin();
        if (isApproved) {
          await gantry.until('shop', before + 1, ({ status }) => status === 'blocked');
          await gantry.command('pipeline', 'approve', String(before + 1), '--yes', '--project', 'admin/shop');
        }
        const pipeline = await gantry.finished('shop', before + 1, 120_000);
        const log = await gantry.log('shop', before + 1, pipeline.steps.find(({ name }) => name === 'keep')!.id);
        expect(pipeline.status, log).toBe('passed');
        return log;
      };
      const secret = '{TOKEN: {from_secret: token}}';
      const writing = caching(['cat kept/left || true', 'mkdir -p kept', 'echo "$TOKEN" > kept/left'], secret);
      await run(() => gantry.push('shop', { '.gantry.yml': writing }));
      const prying = caching(['rev kept/* || echo nothing is here', 'mkdir -p kept', 'echo poison > kept/left']);
      await ann.push('admin/shop', 'ann/shop', 'cache', { '.gantry.yml': prying });
      const opened = { source: 'ann/shop', sourceBranch: 'cache' };
      const log = await run(() => ann.client('openPullRequest', { params, body: opened }), true);
      expect(log).toContain('nothing is here');
      expect(log).not.toContain('eulav-t3rc3s');
      const later = await run(() => gantry.push('shop', { readme: 'later' }));
      expect(later).not.toContain('poison');
      expect(later).toContain('******');
    });

    it('that are cancelled run the steps that clear up, in the workspace as it is', async () => {
      const clearing = `kind: pipeline
name: default
clone: {disable: true}
steps:
  - {name: build, image: base/busybox, commands: ['echo half a cluster > begun', 'echo it has begun', 'sleep 600']}
  - {name: never, image: base/busybox, commands: ['echo never']}
  - {name: clear, image: base/busybox, commands: ['cat begun', 'echo "by $GANTRY_CANCELLED_BY"'], when: {status: [cancelled]}}
`;
      const params = { owner: 'admin', project: 'shop' };
      const number = (await gantry.client('listPipelines', { params, query: {} })).items[0]!.number + 1;
      await gantry.push('shop', { '.gantry.yml': clearing });
      const building = await gantry.until('shop', number, ({ steps }) =>
        steps.some(({ name, status }) => name === 'build' && status === 'running'),
      );
      const build = building.steps.find(({ name }) => name === 'build')!;
      await expect.poll(() => gantry.log('shop', number, build.id), { timeout: 60_000 }).toContain('it has begun');
      await gantry.client('cancelPipeline', { params: { ...params, number } });
      const pipeline = await gantry.finished('shop', number, 120_000);
      expect([pipeline.status, Object.fromEntries(pipeline.steps.map(({ name, status }) => [name, status]))]).toEqual([
        'cancelled',
        { build: 'cancelled', never: 'cancelled', clear: 'passed' },
      ]);
      const log = await gantry.log('shop', number, pipeline.steps.find(({ name }) => name === 'clear')!.id);
      expect(log).toContain('half a cluster');
      expect(log).toContain('by admin');
    });

    it('are foretold by gantry doctor, which names the engine', async () => {
      const { stdout } = await run(join(import.meta.dirname, '../../bin/gantry'), ['doctor', '--json'], {
        env: {
          PATH: process.env['PATH'] ?? '',
          HOME: gantry.folder,
          GANTRY_RUNTIME: 'docker',
          GANTRY_DOCKER_HOST: engine.address,
          GANTRY_DATA: join(gantry.folder, 'elsewhere'),
          GANTRY_RUN: join(gantry.folder, 'run'),
        },
      });
      expect(stdout).toContain('docker: usable');
      expect(stdout).toContain(kind === 'podman' ? 'Podman' : 'Docker 20');
    });
  });
}
