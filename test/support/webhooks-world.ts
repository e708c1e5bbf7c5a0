import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Hono } from 'hono';
import type { OperationId, OperationInput, OperationResult } from '../../src/api/operations.ts';
import { GantryError } from '../../src/core/errors.ts';
import { secretsFeature } from '../../src/features/secrets/index.ts';
import type { WebhooksDeps } from '../../src/features/webhooks/deps.ts';
import { type WebhooksFeature, webhooksFeature } from '../../src/features/webhooks/index.ts';
import { AddressGuard } from '../../src/lib/address-guard.ts';
import { jsonLogger } from '../../src/lib/logger.ts';
import { VirtualClock } from '../../src/lib/virtual-clock.ts';
import { problemResponse } from '../../src/server/problem.ts';
import { PipelinesWorld } from './pipelines-world.ts';
import { requestOf } from './request-of.ts';

const file = `kind: pipeline
name: default
steps:
  - name: build
    image: base/busybox
    commands: [echo built]
`;

/** Webhooks over a Gantry with its real store and pipelines, a clock that is held, and the real network of this host. */
export class WebhooksWorld {
  readonly pipelines: PipelinesWorld;
  /** Of the webhooks alone: whoever moves it on by days does not wake the pipelines ten times a minute. */
  readonly clock = new VirtualClock();
  /** Every line that the feature logged. */
  readonly lines: string[] = [];
  feature: WebhooksFeature;
  readonly #folder: string;
  readonly #secrets: ReturnType<typeof secretsFeature>;
  readonly #deps: Partial<WebhooksDeps>;

  private constructor(pipelines: PipelinesWorld, folder: string, deps: Partial<WebhooksDeps>) {
    this.pipelines = pipelines;
    this.#folder = folder;
    this.#deps = deps;
    this.#secrets = secretsFeature({
      store: pipelines.store,
      clock: this.clock,
      keyFilePath: join(folder, 'keys', 'key'),
    });
    this.feature = this.#makeFeature();
  }

  static async create(deps: Partial<WebhooksDeps> = {}): Promise<WebhooksWorld> {
    const pipelines = await PipelinesWorld.create(file);
    const folder = mkdtempSync(join(tmpdir(), 'gantry-webhooks-'));
    const world = new WebhooksWorld(pipelines, folder, deps);
    await world.#secrets.start?.();
    await world.feature.start();
    return world;
  }

  get store() {
    return this.pipelines.store;
  }

  get path() {
    return this.pipelines.path;
  }

  /** Calls an operation as the person of this world. */
  async call<Id extends OperationId>(id: Id, input: Partial<OperationInput<Id>>): Promise<OperationResult<Id>> {
    const handler = this.feature.operations?.[id] as
      | ((input: unknown, request: unknown) => Promise<OperationResult<Id>>)
      | undefined;
    if (!handler) throw new TypeError(`Webhooks do not answer ${id}`);
    return handler(input, requestOf(this.pipelines.person));
  }

  /** A webhook of the project. */
  async webhook(url: string, events: readonly string[] = ['push']) {
    const body = { url, events: [...events], isEnabled: true } as OperationInput<'createWebhook'>['body'];
    return this.call('createWebhook', { params: this.path, body });
  }

  async deliveries(webhook: number) {
    const query = { limit: 100, after: undefined };
    return (await this.call('listWebhookDeliveries', { params: { ...this.path, webhook }, query })).items;
  }

  /** A server of nothing but the address that others send to. */
  incoming(): Hono {
    const app = new Hono();
    for (const route of this.feature.routes ?? [])
      app.on(route.method, route.path, (context) => route.handle(context, requestOf(this.pipelines.person)));
    app.onError((error) => {
      if (!(error instanceof GantryError)) throw error;
      return problemResponse(error, { language: 'en', requestId: 'test', challenge: 'problem' });
    });
    return app;
  }

  /** Stops the feature, and starts another one over what it left. */
  async restart(): Promise<void> {
    await this.feature.stop();
    this.feature = this.#makeFeature();
    await this.feature.start();
  }

  async close(): Promise<void> {
    await this.feature.stop();
    await this.pipelines.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #makeFeature(): WebhooksFeature {
    const { store, clock } = this;
    return webhooksFeature({
      store,
      happenings: store.happenings,
      repository: {
        resolve: async (_, revision) =>
          revision === 'refs/heads/main' ? { commit: 'c'.repeat(40), ref: revision } : undefined,
      },
      sealer: this.#secrets.sealer,
      planNow: (eventId) => this.pipelines.feature.planNow(eventId),
      clock,
      timers: clock,
      logger: jsonLogger('debug', (line) => void this.lines.push(line)),
      publicUrl: () => 'http://gantry.test',
      guard: new AddressGuard(['127.0.0.1']),
      random: () => 0.5,
      ...this.#deps,
    });
  }
}
