import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContainerEngine, findEngineHindrance } from '../support/container-engine.ts';
import { GantryProcess } from '../support/gantry-process.ts';

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
