import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { GantryError } from '../../../core/errors.ts';
import type { JobSpec, RuntimeJob, StagedStep, StageSpec } from '../runtime.ts';
import { encodeRelease, gateCommand } from './gate.ts';
import type { Bind } from './launcher.ts';
import type { LaunchSpec, NamespaceHolder } from './namespace-holder.ts';
import { overlayOptions } from './overlay.ts';
import type { SandboxHost } from './sandbox-host.ts';
import { SandboxStep } from './sandbox-step.ts';
import { caBundleMountPoint, stepHostname } from './skeleton.ts';

/** Docker's default for /dev/shm; it counts as memory of the step. */
const shmBytes = 64 * 1024 * 1024;

/** One attempt of one workflow: a workspace, a network and steps that come and go in sandboxes of their own. */
export class SandboxJob implements RuntimeJob {
  readonly spec: JobSpec;
  readonly #host: SandboxHost;
  readonly #folder: string;
  readonly #holder: NamespaceHolder;
  readonly #staged = new Set<string>();
  readonly #steps = new Set<SandboxStep>();
  /** Settles when the workspace is mounted: steps staged before would not see it. */
  readonly #workspace: Promise<void>;
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
    this.#workspace = this.#mountWorkspace();
    this.#workspace.catch(() => undefined);
  }

  async stage(step: StageSpec): Promise<StagedStep> {
    if (this.#destroyed) throw new TypeError(`Cannot stage step "${step.name}": job ${this.spec.id} was destroyed`);
    if (this.#staged.has(step.id)) throw new TypeError(`Cannot stage step ${step.id}: it was staged before`);
    this.#staged.add(step.id);
    this.#host.refuseUnenforceable(step);
    const image = await this.#host.images.provide(step.image, {
      pull: step.pull,
      ...(step.credentials ? { credentials: step.credentials } : {}),
      ...(step.progress ? { progress: step.progress } : {}),
      ...(step.signal ? { signal: step.signal } : {}),
    });
    await this.#workspace;
    const skeleton = await this.#host.skeleton(this.spec.workspace);
    this.#refuseEnded(step);

    const folder = join(this.#folder, 'steps', fileName(step.id));
    const [upper, work] = [join(folder, 'upper'), join(folder, 'work')];
    for (const path of [upper, work]) mkdirSync(path, { recursive: true, mode: 0o755 });
    const cgroup = this.#host.cgroups?.make(`${fileName(this.spec.id)}/${fileName(step.id)}`, step.limits);
    const cleanUp = async (): Promise<void> => {
      this.#steps.delete(staged);
      if (cgroup)
        await removeWhenIdle(
          () => cgroup.remove(),
          () => cgroup.kill(),
        );
      this.#host.removal.remove(folder);
    };
    const launched = await this.#holder
      .launch(
        this.#launchSpec(step, {
          overlay: overlayOptions({ lowers: [...image.layers, skeleton], upper, work }, this.#host),
          cgroupFiles: cgroup?.joinFiles ?? [],
        }),
      )
      .catch(async (error: unknown) => {
        cgroup?.remove();
        this.#host.removal.remove(folder);
        throw error;
      });
    const staged = new SandboxStep({
      name: step.name,
      launched,
      cgroup,
      limits: step.limits,
      diskFolders: [upper, this.#workspaceUpper],
      du: this.#host.programs.du,
      encodeRelease: (release) =>
        encodeRelease({
          step,
          release,
          image: image.config,
          workspace: this.spec.workspace,
          defaults: this.#host.environment(this.spec.workspace),
        }),
      cleanUp,
    });
    this.#steps.add(staged);
    await staged.ready();
    this.#refuseEnded(step);
    return staged;
  }

  destroy(): Promise<void> {
    this.#destroyed ??= this.#destroy();
    return this.#destroyed;
  }

  get #workspaceUpper(): string {
    return join(this.#folder, 'workspace');
  }

  /** All objects are tried, also when one removal fails: the first failure is told at the end. */
  async #destroy(): Promise<void> {
    const failures: unknown[] = [];
    const attempt = async (removal: () => Promise<void> | void): Promise<void> => {
      try {
        await removal();
      } catch (error) {
        failures.push(error);
      }
    };
    await Promise.all([...this.#steps].map((step) => attempt(() => step.destroy())));
    await attempt(() => this.#holder.close());
    await attempt(() => this.#host.cgroups?.removeJob(fileName(this.spec.id)));
    await attempt(() => this.#host.removal.remove(this.#folder));
    await attempt(() => this.#host.forget(this.spec.id));
    if (failures.length > 0) {
      throw new GantryError('RUNTIME_UNAVAILABLE', `Cannot remove everything of job ${this.spec.id}`, {
        cause: failures[0],
      });
    }
  }

  async #mountWorkspace(): Promise<void> {
    const folder = this.#workspaceUpper;
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    await this.#holder.setWorkspace({ folder });
  }

  #launchSpec(step: StageSpec, parts: Pick<LaunchSpec, 'overlay' | 'cgroupFiles'>): LaunchSpec {
    const { mountPoint } = this.#holder;
    const binds: Bind[] = [{ source: join(mountPoint, 'workspace'), target: this.spec.workspace, isWritable: true }];
    if (this.#host.caBundle) binds.push({ source: this.#host.caBundle, target: caBundleMountPoint, isWritable: false });
    const launch = this.#host.launcher({
      root: join(mountPoint, 'root'),
      sys: join(mountPoint, 'sys'),
      binds,
      network: step.network,
      hostname: stepHostname,
      shmBytes,
      workingDirectory: '/',
      command: gateCommand(this.#host.architecture),
      architecture: this.#host.architecture,
      isRootless: this.#host.isRootless,
      launcherFolder: join(mountPoint, 'launcher'),
      name: fileName(step.id),
    });
    return { ...launch, ...parts };
  }

  #refuseEnded(step: StageSpec): void {
    if (this.#destroyed || step.signal?.aborted) {
      throw new GantryError('RUNTIME_UNAVAILABLE', `Cannot stage step "${step.name}": the job ended meanwhile`);
    }
  }
}

/** Ids come from us, but they become paths. */
export function fileName(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 100);
}

/** A control group is busy for a moment after its last process has ended. */
async function removeWhenIdle(remove: () => boolean, kill: () => void): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    if (remove()) return;
    if (attempt === 5) kill();
    await new Promise((resolve) => setTimeout(resolve, Math.min(50, 1 + attempt)));
  }
}
