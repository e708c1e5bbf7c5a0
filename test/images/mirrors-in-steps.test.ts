import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';
import { languageProjects } from './projects.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'mirrors of the settings';
const password = 'mirror-hunter-42';

/** Nobody has this name: what a tool says when it finds nothing there tells where it looked. */
const host = 'mirror.invalid';
const settings = `
mirrors:
  npm: https://robot:${password}@${host}/npm/
  pypi: https://robot:${password}@${host}/pypi/simple
  go: https://${host}/go
  maven: https://robot:${password}@${host}/maven
  cargo: sparse+https://${host}/cargo/
  debian: http://${host}/debian
  rubygems: https://${host}/gems
`;

const droneFile = `
kind: pipeline
type: docker
name: default
steps:
  - name: variables
    image: base/busybox
    commands: [env | sort, 'echo "$PIP_INDEX_URL" | base64']
  - name: own
    image: base/busybox
    environment: {PIP_INDEX_URL: https://own.example/simple, NPM_CONFIG_REGISTRY: https://own.example/npm/}
    commands: ['echo "pip $PIP_INDEX_URL npm $npm_config_registry$NPM_CONFIG_REGISTRY"']
  - name: npm
    image: base/node:20
    commands: [cd node, npm config get registry, '! npm view ms --fetch-retries=0']
  - name: pip
    image: base/python:3.11
    commands: ['! pip download --retries 0 idna']
  - name: go
    image: base/golang:1.22
    commands: [cd go, '! go mod download']
  - name: maven
    image: base/maven:3
    commands: [cd java, '! mvn --batch-mode package']
  - name: cargo
    image: base/rust:1
    commands: [cd rust, '! CARGO_NET_RETRY=0 cargo fetch']
  - name: apt
    image: base/debian
    commands: [apt-get update]
`;

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  let folder: string;
  let pipeline: PipelineDetail;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-mirrors-'));
    const file = join(folder, 'mirrors.yaml');
    await writeFile(file, settings);
    await chmod(file, 0o600);
    gantry = await GantryProcess.start({ runtime: 'sandbox', settings: { GANTRY_MIRRORS: file } });
    await gantry.createProject('mirrored');
    await gantry.push('mirrored', { '.drone.yml': droneFile, ...languageProjects });
    pipeline = await gantry.finished('mirrored', 1, 540_000);
  }, 600_000);
  afterAll(async () => {
    await gantry?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  const logOf = (name: string): Promise<string> =>
    gantry.log('mirrored', 1, pipeline.steps.find((step) => step.name === name)!.id);

  it.each(['npm', 'pip', 'go', 'maven', 'cargo', 'apt'])('are where %s looks', async (name) => {
    expect(await logOf(name)).toContain(host);
  });

  it('have passwords that no log shows, in no form', async () => {
    const logs = await Promise.all(pipeline.steps.map(({ name }) => logOf(name)));
    expect(logs.join('\n')).not.toContain(password);
    const variables = await logOf('variables');
    expect(variables).toMatch(/^PIP_INDEX_URL=https:\/\/\*+@mirror\.invalid\/pypi\/simple$/m);
    expect(variables).not.toContain(Buffer.from(`robot:${password}`).toString('base64').slice(4, -4));
  });

  it('give way to what the pipeline file sets', async () => {
    expect(await logOf('own')).toContain('pip https://own.example/simple npm https://own.example/npm/\n');
  });
});
