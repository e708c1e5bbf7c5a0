import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Client, createClient } from '../api/client.ts';
import { changesOf } from '../api/event-stream.ts';
import type { PipelineDetail } from '../api/pipelines.ts';
import { isFinished } from '../core/pipeline.ts';
import { formatDuration } from '../lib/duration.ts';
import { rootFolder } from '../lib/root-folder.ts';
import { buildUi } from './build-ui.ts';
import type { Config } from './config.ts';
import { createImages, imageSettings } from './images.ts';
import { readOutwardSettings } from './outward-settings.ts';
import type { Progress } from './progress.ts';
import { setUp } from './setup.ts';
import { stopRunner } from './start-runner.ts';
import type { UpTexts } from './up-texts.ts';

export interface UpOptions {
  readonly config: Config;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly progress: Progress;
  readonly texts: UpTexts;
  /** Where the pipeline's log goes. */
  readonly output: NodeJS.WritableStream;
}

/** A Gantry that runs, with the example project and its first pipeline. */
export interface Up {
  readonly url: string;
  readonly token: string;
  /** Only at the very first start: it is shown once. */
  readonly password: string | undefined;
  readonly project: string;
  readonly pipeline: number;
  readonly status: PipelineDetail['status'];
  readonly durationsMs: Readonly<Record<string, number>>;
  /** Resolves when the server ends by itself. */
  readonly whenEnded: Promise<void>;
  stop(): Promise<void>;
}

const admin = 'admin';
const project = 'hello';

/** Brings everything up, from the built interface to the end of the example's pipeline. */
export async function up({ config, environment, progress, texts, output }: UpOptions): Promise<Up> {
  const durationsMs: Record<string, number> = {};
  const during = async <T>(
    key: string,
    title: string,
    work: (note: (line: string) => void) => Promise<T>,
  ): Promise<T> => {
    const startedMs = performance.now();
    try {
      return await progress.during(title, work);
    } finally {
      durationsMs[key] = Math.round(performance.now() - startedMs);
    }
  };

  await during('interface', texts.buildingInterface, buildUi);
  await during('images', texts.composingImage('base/node:24'), (note) => provideImage(config, environment, note));
  const first = await during('setup', texts.preparingData, () =>
    setUp({ config, admin, mayExist: true, tokenName: 'up' }),
  );
  const server = await during('server', texts.startingServer, () => startServer(config));
  const stop = async (): Promise<void> => {
    await endServer(server.process);
    await stopRunner({ dataFolder: config.dataFolder, runFolder: config.runFolder });
  };
  try {
    const client = createClient(server.url, () => ({
      Authorization: `Bearer ${first.token}`,
      'Accept-Language': texts.language,
    }));
    const before = await newestPipeline(client);
    await during('push', texts.pushingExample(`${server.url}/${admin}/${project}`), () =>
      ensureRun(client, server.url, first.token),
    );
    const startedMs = performance.now();
    const pipeline = await showPipeline(client, { url: server.url, token: first.token, after: before, output });
    durationsMs['pipeline'] = Math.round(performance.now() - startedMs);
    return {
      url: server.url,
      token: first.token,
      password: first.password,
      project: `${admin}/${project}`,
      pipeline: pipeline.number,
      status: pipeline.status,
      durationsMs,
      whenEnded: server.ended,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function provideImage(
  config: Config,
  environment: UpOptions['environment'],
  note: (line: string) => void,
): Promise<void> {
  if (config.runtime === 'scripted') return;
  const images = createImages(imageSettings(config, environment, readOutwardSettings(config)));
  await images.provide('base/node:24', { pull: 'default', progress: note });
}

interface RunningServer {
  readonly url: string;
  readonly process: ChildProcess;
  readonly ended: Promise<void>;
}

/** The server as a process of its own, as `gantry serve` starts it; what it says goes to `server.log` in the data folder. */
async function startServer(config: Config): Promise<RunningServer> {
  await mkdir(config.dataFolder, { recursive: true });
  const log = openSync(join(config.dataFolder, 'server.log'), 'a');
  const child = spawn(
    join(rootFolder, 'bin/gantry'),
    ['serve', '--data', config.dataFolder, '--port', String(config.port), '--host', config.host],
    {
      stdio: ['ignore', 'pipe', log],
    },
  );
  closeSync(log);
  const ended = once(child, 'exit').then(() => {});
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const firstLine = once(lines, 'line') as Promise<[string]>;
  const line = await Promise.race([firstLine.then(([text]) => text), ended.then(() => undefined)]);
  if (line === undefined)
    throw new Error(`The server ended at once; ${join(config.dataFolder, 'server.log')} has its last words`);
  return { url: (JSON.parse(line) as { url: string }).url, process: child, ended };
}

async function endServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

async function newestPipeline(client: Client): Promise<number> {
  const { items } = await client('listProjects', { query: { owner: admin, query: project } });
  return items.find(({ name }) => name === project)?.latestPipeline?.number ?? 0;
}

/** The first time a push of the example through real git; later a run by hand of what is there. */
async function ensureRun(client: Client, url: string, token: string): Promise<void> {
  const { items } = await client('listProjects', { query: { owner: admin, query: project } });
  const found = items.find(({ name }) => name === project);
  if (!found)
    await client('createProject', {
      body: { owner: admin, name: project, description: 'A small Node service with tests', visibility: 'internal' },
      idempotencyKey: randomUUID(),
    });
  if (!found || found.isEmpty) await pushExample(`${url}/${admin}/${project}.git`, token);
  else
    await client('startPipeline', {
      params: { owner: admin, project },
      body: { parameters: {} },
      idempotencyKey: randomUUID(),
    });
}

async function pushExample(remote: string, token: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-example-'));
  const git = async (...args: string[]): Promise<void> => {
    const child = spawn('git', args, {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: '/usr/local/bin:/usr/bin:/bin',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_TERMINAL_PROMPT: '0',
        GIT_AUTHOR_NAME: 'Gantry',
        GIT_AUTHOR_EMAIL: 'gantry@localhost',
        GIT_COMMITTER_NAME: 'Gantry',
        GIT_COMMITTER_EMAIL: 'gantry@localhost',
        // The token travels in the environment: an argument could be read by everybody on the host.
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'http.extraHeader',
        GIT_CONFIG_VALUE_0: `Authorization: Basic ${Buffer.from(`${admin}:${token}`).toString('base64')}`,
      },
    });
    let lastWords = '';
    child.stderr.on('data', (bytes: Buffer) => {
      lastWords = `${lastWords}${bytes.toString()}`.slice(-4_000);
    });
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`git ${args[0]} failed: ${lastWords.trim()}`);
  };
  try {
    await cp(join(rootFolder, 'examples/hello'), folder, { recursive: true });
    await git('init', '--quiet', '--initial-branch=main');
    await git('add', '--all');
    await git('commit', '--quiet', '--message', 'A small service, its tests and its pipeline');
    await git('push', '--quiet', remote, 'main');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Watch {
  readonly url: string;
  readonly token: string;
  /** Number of the newest pipeline before; the one to show has a greater. */
  readonly after: number;
  readonly output: NodeJS.WritableStream;
}

/** Without the event stream the pipeline is asked for so often. */
const pollMs = 1_000;

/** Shows the log of each step as it is written, to the end of the pipeline. */
async function showPipeline(client: Client, watch: Watch): Promise<PipelineDetail> {
  const params = { owner: admin, project };
  const server = { url: watch.url, headers: authorization(watch) };
  const options = { signal: new AbortController().signal, pollMs };
  const number = await newPipeline(client, watch, changesOf(server, [{ kind: 'project', ...params }], options));
  const shown = new Set<number>();
  for await (const _ of changesOf(server, [{ kind: 'pipeline', ...params, number }], options)) {
    const pipeline = await client('getPipeline', { params: { ...params, number } });
    const isOver = isFinished(pipeline.status);
    for (const step of pipeline.steps) {
      if (shown.has(step.id) || step.startedAt === null) continue;
      shown.add(step.id);
      watch.output.write(`── ${step.name}\n`);
      await followLog(
        `${watch.url}/api/v1/projects/${admin}/${project}/pipelines/${number}/steps/${step.id}/log?follow=1`,
        watch,
      );
    }
    if (!isOver) continue;
    for (const step of pipeline.steps) watch.output.write(stepLine(step));
    if (pipeline.error) watch.output.write(`${pipeline.error.message}\n`);
    return pipeline;
  }
  throw new Error('The watch of the pipeline ended before it did');
}

/** The number of the pipeline that the push or the start has made, as soon as it is there. */
async function newPipeline(client: Client, { after }: Watch, changes: AsyncIterable<void>): Promise<number> {
  for await (const _ of changes) {
    const { items } = await client('listPipelines', { params: { owner: admin, project }, query: { limit: 1 } });
    if (items[0] && items[0].number > after) return items[0].number;
  }
  throw new Error('The watch of the project ended before its pipeline began');
}

function authorization({ token }: Pick<Watch, 'token'>): Record<string, string> {
  return { Authorization: `Bearer ${token}` };
}

async function followLog(address: string, watch: Watch): Promise<void> {
  const response = await fetch(address, { headers: authorization(watch) });
  if (!response.ok || !response.body) return;
  for await (const bytes of response.body) watch.output.write(bytes);
}

function stepLine(step: PipelineDetail['steps'][number]): string {
  const mark = step.status === 'passed' ? '✓' : step.status === 'skipped' ? '–' : '✗';
  const took =
    step.startedAt !== null && step.finishedAt !== null
      ? formatDuration(Date.parse(step.finishedAt) - Date.parse(step.startedAt))
      : step.status;
  return ` ${mark} ${step.name}  ${took}${step.reason === null ? '' : `  ${step.reason}`}\n`;
}
