import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { GantryError } from '../../../core/errors.ts';
import type { JobSpec, RuntimeJob, StagedStep, StageSpec } from '../runtime.ts';
import type { Checkout } from './checkout-cache.ts';
import { CloneStep } from './clone-step.ts';
import type { Bind } from './launcher.ts';
import type { NamespaceHolder } from './namespace-holder.ts';
import { overlayMount } from './overlay.ts';
import type { SandboxHost } from './sandbox-host.ts';
import { launchSandbox } from './sandbox-launch.ts';
import type { SandboxStep } from './sandbox-step.ts';
import { objectsMountPoint } from './skeleton.ts';
import { writeWorkTreeSettings } from './work-tree-settings.ts';

/** One attempt of one workflow: a workspace, a network and steps that come and go in sandboxes of their own. */
export class SandboxJob implements RuntimeJob {
  readonly spec: JobSpec;
  readonly #host: SandboxHost;
  readonly #folder: string;
  readonly #holder: NamespaceHolder;
  readonly #staged = new Set<string>();
  readonly #steps = new Set<SandboxStep>();
  /** The checkout, once it is mounted as the workspace; absent when the job has no repository. */
  readonly #checkout: Promise<Checkout> | undefined;
  /** Settles when a workspace is mounted, with or without a checkout: steps staged before would not see it. */
  readonly #workspace: Promise<void>;
  /** Aborted when the job ends: nothing that is waited for on its behalf goes on. */
  readonly #ending = new AbortController();
  #staging = 0;
  #onStagingDone: (() => void) | undefined;
  #destroyed: Promise<void> | undefined;

  constructor(options: {
    readonly spec: JobSpec;
    readonly host: SandboxHost;
    readonly folder: string;
    readonly holder: NamespaceHolder;
  }) {
    this.spec = options.spec;
    this.#host = options.host;
    this.#folder = options.folder;
    this.#holder = options.holder;
    for (const path of [this.#workspaceUpper, join(this.#folder, 'workspace-work')]) {
      mkdirSync(path, { recursive: true, mode: 0o755 });
    }
    const empty = (): Promise<void> => this.#holder.setWorkspace({ folder: this.#workspaceUpper });
    this.#checkout = this.spec.repository ? this.#mountCheckout() : undefined;
    // Without its checkout the job has an empty workspace: the step `clone` tells why.
    this.#workspace = this.#checkout ? this.#checkout.then(() => undefined).catch(empty) : empty();
    this.#workspace.catch(() => undefined);
  }

  async stage(step: StageSpec): Promise<StagedStep> {
    if (this.#destroyed) throw new TypeError(`Cannot stage step "${step.name}": job ${this.spec.id} was destroyed`);
    if (this.#staged.has(step.id)) throw new TypeError(`Cannot stage step ${step.id}: it was staged before`);
    this.#staged.add(step.id);
    if (step.kind === 'clone') return this.#stageClone();
    this.#host.refuseUnenforceable(step);
    this.#staging += 1;
    try {
      return await this.#stageSandbox(step);
    } finally {
      this.#staging -= 1;
      if (this.#staging === 0) this.#onStagingDone?.();
    }
  }

  destroy(): Promise<void> {
    this.#destroyed ??= this.#destroy();
    return this.#destroyed;
  }

  #stageClone(): StagedStep {
    const { repository } = this.spec;
    if (!repository || !this.#checkout) {
      throw new TypeError(`Cannot stage a checkout: job ${this.spec.id} has no repository`);
    }
    return new CloneStep({ repository, mounted: this.#checkout });
  }

  async #stageSandbox(step: StageSpec): Promise<StagedStep> {
    const signal = step.signal ? AbortSignal.any([step.signal, this.#ending.signal]) : this.#ending.signal;
    const image = await untilAborted(
      signal,
      this.#host.images.provide(step.image, {
        pull: step.pull,
        ...(step.credentials ? { credentials: step.credentials } : {}),
        ...(step.progress ? { progress: step.progress } : {}),
        signal,
      }),
    );
    const skeleton = await this.#host.skeleton(this.spec.workspace);
    await untilAborted(signal, this.#workspace);
    const binds: Bind[] = [
      { source: join(this.#holder.mountPoint, 'workspace'), target: this.spec.workspace, isWritable: true },
    ];
    if (this.spec.repository) {
      binds.push({
        source: join(this.spec.repository.folder, 'objects'),
        target: objectsMountPoint,
        isWritable: false,
      });
    }
    const staged = await launchSandbox(this.#host, {
      holder: this.#holder,
      cgroupName: `${fileName(this.spec.id)}/${fileName(step.id)}`,
      folder: join(this.#folder, 'steps', fileName(step.id)),
      step,
      layers: image.layers,
      skeleton,
      image: image.config,
      binds,
      workspace: this.spec.workspace,
      environment: this.#host.environment(this.spec.workspace),
      diskFolders: [this.#workspaceUpper],
      onGone: () => this.#steps.delete(staged),
    });
    if (signal.aborted) {
      await staged.discard();
      throw endedMeanwhile();
    }
    this.#steps.add(staged);
    return staged;
  }

  get #workspaceUpper(): string {
    return join(this.#folder, 'workspace');
  }

  /** All objects are tried, also when one removal fails: the first failure is told at the end. */
  async #destroy(): Promise<void> {
    this.#ending.abort(endedMeanwhile());
    const failures: unknown[] = [];
    const attempt = async (removal: () => Promise<void> | void): Promise<void> => {
      try {
        await removal();
      } catch (error) {
        failures.push(error);
      }
    };
    await Promise.all([...this.#steps].map((step) => attempt(() => step.destroy())));
    // The end of the holder ends whatever is still being staged.
    await attempt(() => this.#holder.close());
    if (this.#staging > 0) await new Promise<void>((resolve) => (this.#onStagingDone = resolve));
    await attempt(() => this.#host.cgroups?.removeJob(fileName(this.spec.id)));
    await attempt(() => this.#host.removal.remove(this.#folder));
    // A checkout that is still being made is not waited for; its lease goes back when it comes.
    void this.#checkout?.then((checkout) => checkout.release()).catch(() => undefined);
    this.#host.forget(this.spec.id);
    if (failures.length > 0) {
      throw new GantryError('RUNTIME_UNAVAILABLE', `Cannot remove everything of job ${this.spec.id}`, {
        cause: failures[0],
      });
    }
  }

  /** The sealed checkout below, this job's upper with its HEAD and origin on top: a mount. */
  async #mountCheckout(): Promise<Checkout> {
    const repository = this.spec.repository!;
    const checkout = await this.#host.provideCheckout(repository);
    try {
      writeWorkTreeSettings(this.#workspaceUpper, repository);
      await this.#holder.setWorkspace({
        overlay: overlayMount(
          {
            lowers: checkout.layers,
            upper: this.#workspaceUpper,
            work: join(this.#folder, 'workspace-work'),
          },
          { isRootless: this.#host.isRootless, isKept: false },
        ),
      });
    } catch (error) {
      checkout.release();
      throw error;
    }
    return checkout;
  }
}

function endedMeanwhile(): GantryError {
  return new GantryError('RUNTIME_UNAVAILABLE', 'Cannot stage a step: it was cancelled, or its job ended, meanwhile');
}

/** Waits no longer than the signal lets it: what is being made may go on for others. */
function untilAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => undefined);
    return Promise.reject(endedMeanwhile());
  }
  const aborted = Promise.withResolvers<never>();
  const listener = (): void => aborted.reject(endedMeanwhile());
  signal.addEventListener('abort', listener, { once: true });
  return Promise.race([promise, aborted.promise]).finally(() => signal.removeEventListener('abort', listener));
}

/** Ids come from us, but they become paths. */
export function fileName(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 100);
}
