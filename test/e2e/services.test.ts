import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { processesWith } from '../support/host-traces.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'services, detached steps and volumes, in real sandboxes';

/** A service that takes a while until it listens, and a step that would fail without it. */
const serve =
  'sleep 0.3; mkdir -p /www && echo "hello from $WHO" > /www/index.html; echo serving; exec httpd -f -p 8080 -h /www';
const ask = 'wget -qO- http://web:8080/ && wget -qO- http://localhost:8080/';

const spellings = {
  'Drone 0.8': {
    '.drone.yml': `
pipeline:
  ask:
    image: base/busybox
    commands: ['${ask}']
services:
  web:
    image: base/busybox
    environment: [WHO=Drone]
    ports: [8080]
    commands: ['${serve}']
`,
  },
  'Drone 1.x': {
    '.drone.yml': `
kind: pipeline
services:
- name: web
  image: base/busybox
  environment: {WHO: Drone}
  ports: [8080]
  commands: ['${serve}']
steps:
- name: ask
  image: base/busybox
  commands: ['${ask}']
`,
  },
  Woodpecker: {
    '.woodpecker.yml': `
when: {event: push}
services:
  web:
    image: base/busybox
    environment: {WHO: Drone}
    ports: ['8080']
    commands: ['${serve}']
steps:
  ask:
    image: base/busybox
    commands: ['${ask}']
`,
  },
  '.gantry.yml': {
    '.gantry.yml': `
kind: pipeline
services:
- {name: web, image: base/busybox, environment: {WHO: Drone}, ports: [8080], commands: ['${serve}']}
steps:
- {name: ask, image: base/busybox, commands: ['${ask}']}
`,
  },
} as const;

const ends = (pipeline: PipelineDetail): readonly string[] =>
  pipeline.steps.map(({ name, status, kind }) => `${kind} ${name} ${status}`);

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  beforeAll(async () => {
    // One slot: a service that took it would leave none for the step that waits for it.
    gantry = await GantryProcess.start({
      runtime: 'sandbox',
      settings: { GANTRY_SLOTS: '1', GANTRY_SERVICE_READY_LIMIT: '1s' },
    });
  });
  afterAll(() => gantry.dispose());

  const ran = async (project: string, files: Readonly<Record<string, string>>): Promise<PipelineDetail> => {
    await gantry.createProject(project);
    await gantry.push(project, files);
    return gantry.finished(project, 1);
  };
  const logOf = async (project: string, pipeline: PipelineDetail, name: string): Promise<string> =>
    gantry.log(project, 1, pipeline.steps.find((step) => step.name === name)!.id);

  it.each(Object.entries(spellings))('reach a service of %s by name and on localhost', async (dialect, files) => {
    const project = dialect.replaceAll(/\W/g, '').toLowerCase();
    const pipeline = await ran(project, files);
    expect(ends(pipeline), JSON.stringify(pipeline)).toEqual([
      'clone clone passed',
      'service web passed',
      'step ask passed',
    ]);
    expect(pipeline.steps[1]?.reason).toBe('Step "web" was ended: the last of the other steps had ended.');
    expect(await logOf(project, pipeline, 'ask')).toContain('hello from Drone\nhello from Drone');
    const log = await logOf(project, pipeline, 'web');
    expect(log).toContain('serving');
    expect(log).toContain('ready: port 8080 answers');
  });

  it('tell of a service that dies, of one that never answers, and of one that cannot start: the steps go on', async () => {
    const pipeline = await ran('broken', {
      '.gantry.yml': `
kind: pipeline
services:
- {name: dies, image: base/busybox, ports: [1], commands: [echo last words, exit 3]}
- {name: silent, image: base/busybox, ports: [2], commands: [echo listening to nothing, sleep 600]}
- {name: absent, image: 'base/nowhere:1', ports: [3]}
steps:
- {name: test, image: base/busybox, commands: [echo went on]}
`,
    });
    expect(pipeline.status, JSON.stringify(pipeline)).toBe('passed');
    expect(ends(pipeline)).toEqual([
      'clone clone passed',
      'service dies failed',
      'service silent failed',
      'service absent failed',
      'step test passed',
    ]);
    const [, dies, silent, absent] = pipeline.steps;
    expect(dies).toMatchObject({ exitCode: 3, isIgnored: true });
    expect(dies?.reason).toContain('ended by itself before the steps did');
    expect(await logOf('broken', pipeline, 'dies')).toContain('last words');
    expect(silent?.reason).toContain('nothing answered on port 2 for 1 s');
    expect(JSON.stringify(silent?.failure)).toContain('listening to nothing');
    expect(absent?.reason).toContain('base/nowhere');
  });

  it('let the steps go on beside a detached one, whose failure does not count', async () => {
    const pipeline = await ran('detached', {
      '.drone.yml': `
kind: pipeline
steps:
- name: serve
  image: base/busybox
  detach: true
  ports: [8080]
  environment: {WHO: detached}
  commands: ['${serve}']
- name: fails
  image: base/busybox
  detach: true
  commands: [exit 1]
- name: ask
  image: base/busybox
  commands: ['${ask.replaceAll('web', 'serve')}']
`,
    });
    expect(pipeline.status, JSON.stringify(pipeline)).toBe('passed');
    expect(ends(pipeline)).toEqual([
      'clone clone passed',
      'detached serve passed',
      'detached fails failed',
      'step ask passed',
    ]);
    expect(await logOf('detached', pipeline, 'ask')).toContain('hello from detached');
  });

  it('share volumes between a service and two steps, and nothing of them is left for the next pipeline', async () => {
    const file = `
when: {event: push}
services:
  db:
    image: base/busybox
    volumes: ['run:/var/run/db']
    commands: ['until test -f /var/run/db/question; do sleep 0.05; done; echo answer > /var/run/db/answer; sleep 600']
steps:
  asks:
    image: base/busybox
    volumes: ['run:/var/run/db', 'cache:/cache']
    commands:
    - ls -A /cache | wc -l
    - touch /var/run/db/question /cache/kept
    - until test -f /var/run/db/answer; do sleep 0.05; done
  reads:
    image: base/busybox
    volumes: ['cache:/elsewhere:ro', 'run:/tmp/run']
    commands: [cat /tmp/run/answer, ls /elsewhere]
`;
    const first = await ran('volumes', { '.woodpecker.yml': file });
    expect(first.status, JSON.stringify(first)).toBe('passed');
    const log = await logOf('volumes', first, 'reads');
    expect(log).toContain('answer');
    expect(log).toContain('kept');
    await gantry.push('volumes', { 'again.txt': 'again' });
    const second = await gantry.finished('volumes', 2);
    expect(await gantry.log('volumes', 2, second.steps.find(({ name }) => name === 'asks')!.id)).toMatch(/^0$/m);
  });

  it('end a service with a cancelled pipeline, and leave nothing of it on the host', async () => {
    await gantry.createProject('cancelled');
    const marker = `until-cancelled-${process.pid}`;
    await gantry.push('cancelled', {
      '.gantry.yml': `
kind: pipeline
volumes: [{name: fast, temp: {medium: memory, size_limit: 1MiB}}]
services:
- name: web
  image: base/busybox
  ports: [8080]
  volumes: [{name: fast, path: /fast}]
  commands: ['mkdir /${marker}; exec httpd -f -p 8080 -h /${marker}']
steps:
- {name: waits, image: base/busybox, commands: [sleep 600]}
`,
    });
    const params = { owner: 'admin', project: 'cancelled', number: 1 };
    await expect
      .poll(
        async () => (await gantry.client('getPipeline', { params })).steps.find(({ name }) => name === 'waits')?.status,
        { timeout: 60_000 },
      )
      .toBe('running');
    expect(processesWith(marker)).not.toEqual([]);
    await gantry.client('cancelPipeline', { params });
    const pipeline = await gantry.finished('cancelled', 1);
    expect([pipeline.status, ...ends(pipeline)]).toEqual([
      'cancelled',
      'clone clone passed',
      'service web cancelled',
      'step waits cancelled',
    ]);
    await expect.poll(() => processesWith(marker), { timeout: 30_000 }).toEqual([]);
  });
});
