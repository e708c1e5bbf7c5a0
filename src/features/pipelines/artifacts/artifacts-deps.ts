import type { UnitOfWork } from '../../../core/unit-of-work.ts';
import type { BlobStorage } from '../../../drivers/blobs/blobs.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { Timers } from '../../../lib/timers.ts';

/** What artifacts are looked after with. */
export interface ArtifactsDeps {
  readonly store: UnitOfWork;
  readonly blobs: BlobStorage;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}
