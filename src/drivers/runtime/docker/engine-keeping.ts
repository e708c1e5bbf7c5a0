import type { CacheHome } from '../caches/cache-home.ts';
import type { EngineSharing } from './engine-sharing.ts';
import type { ImageOccupants } from './image-occupants.ts';

/** What an engine's jobs have for caches and results of steps. */
export interface EngineKeeping {
  readonly home: CacheHome;
  readonly sharing: EngineSharing;
  readonly occupants: ImageOccupants;
}
