import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { VolumePlan } from '../../../core/plan.ts';
import type { StageSpec } from '../runtime.ts';
import type { Bind } from './launcher.ts';
import type { NamespaceHolder } from './namespace-holder.ts';

/** Of a volume in memory whose file names no size. What is written counts for the memory limit of the step that writes. */
const defaultMemoryBytes = 1024 * 1024 * 1024;

/** Whoever runs as whatever user may write, as in the same place of Kubernetes. */
const everybody = 0o777;

/** The temp volumes of a job: folders of its own, or memory that goes with its namespaces. */
export class JobVolumes {
  /** Folders on disk, whose size counts for the disk limit of each step. */
  readonly diskFolders: readonly string[];
  readonly #sources = new Map<string, Promise<string>>();

  constructor(volumes: readonly VolumePlan[], options: { readonly folder: string; readonly holder: NamespaceHolder }) {
    const diskFolders: string[] = [];
    for (const [number, { name, medium, sizeBytes }] of volumes.entries()) {
      let source: Promise<string>;
      if (medium === 'memory') source = options.holder.makeMemoryVolume(number, sizeBytes ?? defaultMemoryBytes);
      else {
        const folder = join(options.folder, 'volumes', String(number));
        mkdirSync(folder, { recursive: true });
        chmodSync(folder, everybody);
        diskFolders.push(folder);
        source = Promise.resolve(folder);
      }
      // Each step that wants it hears of it.
      source.catch(() => undefined);
      this.#sources.set(name, source);
    }
    this.diskFolders = diskFolders;
  }

  /** What a step is to see of them. Throws RUNTIME_UNAVAILABLE when one cannot be had. */
  async bindsOf({ name, volumes = [] }: Pick<StageSpec, 'name' | 'volumes'>): Promise<readonly Bind[]> {
    const binds: Bind[] = [];
    for (const mount of volumes) {
      const source = this.#sources.get(mount.name);
      if (!source) throw new TypeError(`Cannot mount volume "${mount.name}" in step "${name}": the job has none of it`);
      binds.push({ source: await source, target: mount.target, isWritable: mount.isReadOnly !== true });
    }
    return binds;
  }
}
