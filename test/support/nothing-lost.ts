import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import type { PipelineView } from '../../src/api/pipelines.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { GantryProcess } from './gantry-process.ts';

const run = promisify(execFile);

/** Every pipeline of a project, newest first. */
export async function allPipelines(gantry: GantryProcess, project: string): Promise<readonly PipelineView[]> {
  const items: PipelineView[] = [];
  let after: string | undefined;
  do {
    const page = await gantry.client('listPipelines', {
      params: { owner: 'admin', project },
      query: { limit: 100, ...(after === undefined ? {} : { after }) },
    });
    items.push(...page.items);
    after = page.next ?? undefined;
  } while (after !== undefined);
  return items;
}

/**
 * Waits until no pipeline is open and every acknowledged commit has one (I2, I3); throws with what is missing when it
 * takes longer. No push has two, and numbers have no gap.
 */
export async function everyPushHasOnePipeline(
  gantry: GantryProcess,
  project: string,
  acknowledged: readonly string[],
  withinMs = 30_000,
): Promise<readonly PipelineView[]> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const items = await allPipelines(gantry, project);
    const open = items.filter(({ finishedAt }) => finishedAt === null);
    const missed = acknowledged.filter((commit) => !items.some((pipeline) => pipeline.commit === commit));
    if (open.length === 0 && missed.length === 0) {
      const pushes = items.filter(({ event }) => event === 'push').map(({ commit, ref }) => `${ref} ${commit}`);
      const twice = pushes.filter((push, i) => pushes.indexOf(push) !== i);
      if (twice.length > 0) throw new Error(`More than one pipeline for ${twice.join(', ')}`);
      const numbers = items.map(({ number }) => number).toSorted((a, b) => a - b);
      const gap = numbers.findIndex((number, i) => number !== i + 1);
      if (gap !== -1) throw new Error(`Pipeline ${gap + 1} is missing: ${numbers.join(' ')}`);
      return items;
    }
    if (performance.now() > deadline) {
      const named = open.map(({ number, status }) => `#${number} ${status}`);
      throw new Error(`After ${withinMs} ms: no pipeline for ${missed.join(', ')}; open ${named.join(', ')}`);
    }
    await gantry.pause();
  }
}

/** Each `echo` of a step that passed stands in its log once: whatever was sent again, nothing is double and nothing cut. */
export async function everyLogIsWhole(gantry: GantryProcess, project: string): Promise<void> {
  for (const { number } of await allPipelines(gantry, project)) {
    const pipeline = await gantry.client('getPipeline', { params: { owner: 'admin', project, number } });
    for (const step of pipeline.steps) {
      if (step.status !== 'passed' || step.name === 'clone') continue;
      const log = await gantry.log(project, number, step.id);
      if (log.match(/^\+ echo/gm)?.length !== 1)
        throw new Error(`Log of ${step.name} in #${number} is ${JSON.stringify(log)}`);
    }
  }
}

/**
 * Waits until no intent and no event is left undecided; throws when it takes longer. A decision that could not be written
 * down is made again by reconciliation, some seconds later (engine.md 8): what nobody was told of may wait for it.
 */
export async function everythingDecided(gantry: GantryProcess, withinMs = 60_000): Promise<void> {
  const database = new DatabaseSync(join(gantry.dataFolder, 'gantry.db'), { readOnly: true });
  const open = database.prepare(
    'select (select count(*) from push_intent) + (select count(*) from event where planned_at is null) as count',
  );
  try {
    const deadline = performance.now() + withinMs;
    while (open.get()?.['count'] !== 0) {
      if (performance.now() > deadline) throw new Error(`Something is undecided after ${withinMs} ms`);
      await gantry.pause();
    }
  } finally {
    database.close();
  }
}

/**
 * With the server ended: repositories pass `git fsck` (I1), the database its own checks (I11), the audit log its chain
 * (I9), and no intent, event or workflow is left open (I2, I3).
 */
export async function dataIsWhole(gantry: GantryProcess, databaseUrl?: string): Promise<void> {
  const repositories = join(gantry.dataFolder, 'repositories');
  for (const name of await readdir(repositories))
    await run('git', ['-C', join(repositories, name), 'fsck', '--full', '--strict']);
  const path = join(gantry.dataFolder, 'gantry.db');
  const problems: unknown[] = [];
  if (databaseUrl === undefined && existsSync(path)) {
    const database = new DatabaseSync(path);
    const [integrity] = database.prepare('pragma integrity_check').all();
    if (integrity?.['integrity_check'] !== 'ok') problems.push(integrity);
    problems.push(...database.prepare('pragma foreign_key_check').all());
    database.close();
  }
  const where = databaseUrl ? ({ kind: 'postgres', url: databaseUrl } as const) : ({ kind: 'file', path } as const);
  const store = await openStore(where, { clock: systemClock, logger: silentLogger });
  try {
    const broken = await store.read.audit.verify();
    if (broken !== undefined) problems.push({ audit: broken });
    problems.push(...(await store.read.events.listUnplanned(10)));
    problems.push(...(await store.read.events.listIntents()));
    problems.push(...(await store.read.pipelines.openWorkflows()));
  } finally {
    await store.close();
  }
  if (problems.length > 0) throw new Error(`What is left is not whole: ${JSON.stringify(problems)}`);
}
