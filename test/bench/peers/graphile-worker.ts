import { makeWorkerUtils, type Runner, run, type WorkerUtils } from 'graphile-worker';
import pg from 'pg';
import { type MissingPostgres, startPostgres, type TestPostgres } from '../../support/postgres.ts';

/** A graph of jobs: which ones wait for which, by position. */
export interface Graph {
  /** For each job, those that wait for it. */
  readonly dependants: readonly (readonly number[])[];
  /** For each job, how many it waits for. */
  readonly waits: readonly number[];
}

const quiet = { debug: () => {}, warn: () => {}, info: () => {}, error: () => {}, scope: () => quiet };

/**
 * graphile-worker on a durable PostgreSQL: a job per step, and the graph as a counter per step in SQL, which the
 * transaction that ends a job counts down.
 */
export class GraphilePeer {
  readonly #postgres: TestPostgres;
  readonly #pool: pg.Pool;
  #utils: WorkerUtils | undefined;
  #waiting: Runner | undefined;
  #arrived: () => void = () => {};

  private constructor(postgres: TestPostgres, url: string) {
    this.#postgres = postgres;
    this.#pool = new pg.Pool({ connectionString: url, max: 10 });
    // A client that is leaving may still hear that its server ends.
    this.#pool.on('error', () => {});
  }

  static async start(): Promise<GraphilePeer | MissingPostgres> {
    const postgres = await startPostgres({ isDurable: true });
    if ('missing' in postgres) return postgres;
    const peer = new GraphilePeer(postgres, await postgres.createDatabase());
    peer.#utils = await makeWorkerUtils({ pgPool: peer.#pool });
    await peer.#utils.migrate();
    await peer.#pool.query('create table node (id int primary key, waits int not null, dependants int[] not null)');
    return peer;
  }

  /** Runs the graph and answers the milliseconds from its first job to its last. `tuned`: as its performance page advises. */
  async runGraph(graph: Graph, isTuned: boolean): Promise<number> {
    await this.#pool.query('truncate node');
    await this.#pool.query(
      `insert into node select (value->>'id')::int, (value->>'waits')::int,
         array(select jsonb_array_elements_text(value->'dependants')::int) from jsonb_array_elements($1::jsonb)`,
      [JSON.stringify(graph.waits.map((waits, id) => ({ id, waits, dependants: graph.dependants[id] })))],
    );
    let left = graph.waits.length;
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const runner = await this.#run(isTuned, async (id) => {
      await this.#pool.query(
        `with ready as (
           update node set waits = waits - 1 where id = any((select dependants from node where id = $1)::int[]) returning id, waits)
         select graphile_worker.add_job('step', json_build_object('id', id)) from ready where waits = 0`,
        [id],
      );
      left -= 1;
      if (left === 0) finish();
    });
    const startedMs = performance.now();
    await this.#pool.query(
      `select graphile_worker.add_job('step', json_build_object('id', id)) from node where waits = 0`,
    );
    await finished;
    const tookMs = performance.now() - startedMs;
    await runner.stop();
    return tookMs;
  }

  /** One job while nothing else is to be done: milliseconds from adding it to its handler, by a worker that waits for it. */
  async latency(): Promise<number> {
    this.#waiting ??= await this.#run(false, async () => this.#arrived());
    const arrival = new Promise<number>((resolve) => {
      this.#arrived = () => resolve(performance.now());
    });
    const startedMs = performance.now();
    await this.#utils!.addJob('step', { id: 1 });
    return (await arrival) - startedMs;
  }

  #run(isTuned: boolean, handle: (id: number) => Promise<void>): Promise<Runner> {
    return run({
      pgPool: this.#pool,
      concurrency: isTuned ? 20 : 5,
      pollInterval: isTuned ? 2_000 : 1_000,
      noHandleSignals: true,
      logger: quiet as never,
      taskList: { step: (payload) => handle((payload as { id: number }).id) },
      ...(isTuned
        ? { preset: { worker: { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } } }
        : {}),
    });
  }

  async stop(): Promise<void> {
    await this.#waiting?.stop();
    await this.#utils?.release();
    await this.#pool.end();
    await this.#postgres.stop();
  }
}
