import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import { ContainerEngine, findEngineHindrance } from '../support/container-engine.ts';
import { ForwardProxy } from '../support/forward-proxy.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';
import { languageProjects } from './projects.ts';

const title = 'files that name images of a registry, unmodified, on a host without one';

/** As Drone's users write it: nothing in it knows of Gantry's images, mirrors or certificates. */
const droneFile = `
kind: pipeline
type: docker
name: default
steps:
  - name: go
    image: golang:1.22
    commands: [cd go, go mod download, go build -o hello ., ./hello]
  - name: node
    image: node:20
    commands: [cd node, npm ci, 'node -e "console.log(\\"hello from node\\", require(\\"ms\\")(60000))"']
    depends_on: [clone]
  - name: python
    image: python:3.11-slim
    commands: [pip install --no-cache-dir idna==3.10, 'python -c "import idna; print(\\"hello from\\", idna.decode(\\"xn--fsqu00a\\"))"']
    depends_on: [clone]
  - name: java
    image: maven:3-eclipse-temurin-17
    commands: [cd java, mvn --batch-mode package, java -cp target/hello-1.jar Hello]
    depends_on: [clone]
  - name: rust
    image: rust:1-slim
    commands: [cd rust, cargo fetch, cargo build --offline, target/debug/hello]
    depends_on: [clone]
  - name: debian
    image: debian:12
    commands: [apt-get update, apt-get install --yes --no-install-recommends tree, tree --version]
    depends_on: [clone]
`;

const rules = `
images:
  - golang:1.22* -> base/golang:1.22
  - node:* -> base/node:*
  - python:*-slim -> base/python:*
  - maven:3-*-17 -> base/maven:3
  - rust:1-slim → base/rust:1
  - docker.io/library/debian -> base/debian
`;

const ways = [
  { runtime: 'sandbox', hindrance: findSandboxHindrance('bubblewrap') },
  { runtime: 'docker', hindrance: findEngineHindrance('docker') },
] as const;

for (const { runtime, hindrance } of ways)
  describe.skipIf(hindrance)(
    `${title}, on the runtime ${runtime}${hindrance ? ` (not here: ${hindrance})` : ''}`,
    () => {
      let engine: ContainerEngine | undefined;
      let proxy: ForwardProxy | undefined;
      let gantry: GantryProcess;
      let folder: string;
      let pipeline: PipelineDetail;

      beforeAll(async () => {
        folder = await mkdtemp(join(tmpdir(), 'gantry-images-'));
        let outward = '';
        if (runtime === 'docker') {
          engine = await ContainerEngine.start('docker');
          proxy = await ForwardProxy.start(join(folder, 'proxy.sock'));
          const address = proxy.addressAt(await engine.relay(join(folder, 'proxy.sock')));
          outward = `proxy: {http: '${address}', https: '${address}'}\n`;
        }
        await writeFile(join(folder, 'mirrors.yaml'), `${outward}${rules}`, { mode: 0o600 });
        gantry = await GantryProcess.start({
          runtime,
          settings: {
            GANTRY_MIRRORS: join(folder, 'mirrors.yaml'),
            ...(engine ? { GANTRY_DOCKER_HOST: engine.address } : {}),
          },
        });
        await gantry.createProject('tools');
        await gantry.push('tools', { '.drone.yml': droneFile, ...languageProjects });
      });
      afterAll(async () => {
        await gantry?.dispose();
        await engine?.dispose();
        await proxy?.stop();
        await rm(folder, { recursive: true, force: true });
      });

      const logOf = (name: string): Promise<string> =>
        gantry.log('tools', 1, pipeline.steps.find((step) => step.name === name)!.id);

      it('pass: every language fetches its packages, builds and runs', { timeout: 600_000 }, async () => {
        pipeline = await gantry.finished('tools', 1, 540_000);
        const said = await Promise.all(pipeline.steps.map(async ({ name }) => `${name}\n${await logOf(name)}`));
        expect(pipeline.status, said.join('\n')).toBe('passed');
      });

      it.each([
        ['go', 'golang:1.22', 'base/golang:1.22', 1, 'hello from go'],
        ['node', 'node:20', 'base/node:20', 2, 'hello from node 1m'],
        ['python', 'python:3.11-slim', 'base/python:3.11', 3, 'hello from 例子'],
        ['java', 'maven:3-eclipse-temurin-17', 'base/maven:3', 4, 'hello from java'],
        ['rust', 'rust:1-slim', 'base/rust:1', 5, 'hello from rust 42'],
        ['debian', 'debian:12', 'base/debian:12', 6, 'tree v'],
      ])('%s: the page shows %s, the log says that it is %s', async (name, written, pulled, rule, output) => {
        const log = await logOf(name);
        expect(log).toContain(`image ${written} → ${pulled} (rule ${rule})\n`);
        expect(log).toContain(output);
        if (proxy) expect(log).not.toContain(proxy.password);
        expect(pipeline.steps.find((step) => step.name === name)!.image).toBe(written);
      });

      it.runIf(runtime === 'docker')('go out through the proxy alone', () => {
        expect(new Set(proxy?.asked.map((line) => line.replace(/ .*/, '')))).toEqual(new Set(['CONNECT', 'GET']));
      });
    },
  );
