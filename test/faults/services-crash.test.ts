import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GantryProcess } from '../support/gantry-process.ts';
import { processesWith } from '../support/host-traces.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'a service in a real sandbox';

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  beforeAll(async () => {
    gantry = await GantryProcess.start({ runtime: 'sandbox' });
  });
  afterAll(() => gantry.dispose());

  /** Pushes a pipeline whose step waits beside its service until it is told to go on, and waits until it does. */
  const begin = async (project: string, marker: string): Promise<void> => {
    await gantry.createProject(project);
    await gantry.push(project, {
      '.gantry.yml': `
kind: pipeline
services:
- name: web
  image: base/busybox
  ports: [8080]
  commands: ['mkdir /${marker} && echo served > /${marker}/page; exec httpd -f -p 8080 -h /${marker}']
steps:
- name: waits
  image: base/busybox
  commands:
  - echo waiting
  - sleep 4
  - wget -qO- http://web:8080/page
`,
    });
    await gantry.until(project, 1, ({ steps }) => steps.find(({ name }) => name === 'waits')?.status === 'running');
    expect(processesWith(`/${marker}`)).not.toEqual([]);
  };
  const ends = async (project: string): Promise<readonly string[]> => {
    const pipeline = await gantry.finished(project, 1, 120_000);
    return [pipeline.status, ...pipeline.steps.map(({ name, status }) => `${name} ${status}`)];
  };

  it('goes on while the server is killed and started anew, and ends with the last step', async () => {
    const marker = `restarted-${process.pid}`;
    await begin('restarted', marker);
    await gantry.signalServer('SIGKILL');
    await gantry.startServer();
    expect(await ends('restarted')).toEqual(['passed', 'clone passed', 'web passed', 'waits passed']);
    const pipeline = await gantry.finished('restarted', 1);
    expect(await gantry.log('restarted', 1, pipeline.steps[2]!.id)).toContain('served');
    await expect.poll(() => processesWith(`/${marker}`)).toEqual([]);
  });

  it('is gone with its runner, and its workflow is nobody’s verdict', async () => {
    const marker = `orphaned-${process.pid}`;
    await begin('orphaned', marker);
    for (const pid of await gantry.runnerPids()) process.kill(pid, 'SIGKILL');
    await expect.poll(() => processesWith(`/${marker}`)).toEqual([]);
    expect(await ends('orphaned')).toEqual([
      'infrastructure',
      'clone passed',
      'web infrastructure',
      'waits infrastructure',
    ]);
  });

  it('starts again when what failed is run once more', async () => {
    await gantry.createProject('again');
    await gantry.push('again', {
      '.gantry.yml': `
kind: pipeline
services:
- {name: web, image: base/busybox, ports: [8080], commands: ['exec httpd -f -p 8080 -h /']}
steps:
- {name: fails, image: base/busybox, commands: ['wget -qO- http://web:8080/etc/hosts', exit 1]}
`,
    });
    expect(await ends('again')).toEqual(['failed', 'clone passed', 'web passed', 'fails failed']);
    const params = { owner: 'admin', project: 'again', number: 1 };
    await gantry.client('rerunPipeline', { params, body: { only: 'failed' } });
    const pipeline = await gantry.until(
      'again',
      1,
      ({ status, steps }) => status === 'failed' && steps[1]?.attempt === 2,
    );
    expect(pipeline.steps.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'clone passed',
      'web passed',
      'fails failed',
    ]);
    expect(await gantry.log('again', 1, pipeline.steps[2]!.id)).toContain('127.0.0.1 web');
  });
});
