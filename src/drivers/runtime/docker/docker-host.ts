import type { Logger } from '../../../lib/logger.ts';
import type { Turns } from '../../../lib/turns.ts';
import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import type { EngineImages } from '../../container-engine/api/engine-images.ts';
import type { EngineWatch } from '../../container-engine/api/engine-watch.ts';
import type { Agent } from './agent.ts';
import type { EngineKeeping } from './engine-keeping.ts';
import type { RemovalQueue } from './removal-queue.ts';

/** What all jobs in one engine share. */
export interface DockerHost {
  readonly client: EngineClient;
  readonly agent: Agent;
  readonly images: EngineImages;
  readonly watch: EngineWatch;
  readonly removal: RemovalQueue;
  /** Starts at once: with more of them the first step would wait for those that come after it. */
  readonly starts: Turns;
  /** Id of the image with busybox and the gate's parts. */
  readonly gateImage: () => Promise<string>;
  /** Volume with the gate. */
  readonly gateVolume: () => Promise<string>;
  /** What may run privileged, as the admin listed it. */
  readonly privilegedImages: readonly string[];
  /** Why a folder of the engine's host is mounted for nobody; `undefined` when it may be. */
  findHostFolderFault(path: string): string | undefined;
  /** Files of every step that lie among those of its image, by absolute path. */
  readonly filesOfImages: ReadonlyMap<string, Buffer>;
  /** Variables that a step has where neither its image nor the plan says otherwise. */
  readonly defaults: (workspace: string) => Readonly<Record<string, string>>;
  /** Absent = neither caches nor results of steps are kept. */
  readonly keeping?: EngineKeeping | undefined;
  readonly logger: Logger;
}
