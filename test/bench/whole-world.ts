import { join } from 'node:path';
import { createImages, hostEnvironment } from '../../src/app/images.ts';
import type { UnpackedImage } from '../../src/core/image.ts';
import { GantryProcess, type GantryProcessOptions } from '../support/gantry-process.ts';
import { StreamReader } from './stream-reader.ts';

/** A whole Gantry in its own processes, with one project, driven over HTTP as a user would. */
export class WholeWorld {
  readonly gantry: GantryProcess;

  private constructor(gantry: GantryProcess) {
    this.gantry = gantry;
  }

  static async start(options: GantryProcessOptions, files: Readonly<Record<string, string>>): Promise<WholeWorld> {
    const world = new WholeWorld(await GantryProcess.start(options));
    await world.gantry.createProject('bench');
    await world.gantry.push('bench', files);
    await world.gantry.finished('bench', 1, 180_000);
    return world;
  }

  /** Starts the pipeline by hand and answers the milliseconds until the stream tells that it passed, with its number. */
  async runPipeline(): Promise<{ readonly tookMs: number; readonly number: number }> {
    const stream = await StreamReader.open(this.gantry, ['project:admin/bench']);
    try {
      const startedMs = performance.now();
      const { number } = await this.gantry.client('startPipeline', {
        params: { owner: 'admin', project: 'bench' },
        body: {},
      });
      const end = await stream.until(
        ({ event, data }) =>
          event === 'happening' &&
          data['type'] === 'pipeline-changed' &&
          data['number'] === number &&
          ['passed', 'failed', 'infrastructure', 'cancelled'].includes(String(data['status'])),
      );
      if (end.data['status'] !== 'passed') throw new Error(`Pipeline ${number} is ${String(end.data['status'])}`);
      return { tookMs: performance.now() - startedMs, number };
    } finally {
      stream.close();
    }
  }

  stop(): Promise<void> {
    return this.gantry.dispose();
  }
}

/** Base images, as the runner has them. */
export function baseImage(reference: string): Promise<UnpackedImage> {
  const home = process.env['HOME'] ?? '/root';
  const images = createImages({
    cacheFolder: process.env['GANTRY_CACHE'] ?? join(home, '.cache/gantry'),
    plainHttpRegistries: [],
    hostEnvironment: hostEnvironment(process.env),
  });
  return images.provide(reference, { pull: 'default' });
}
