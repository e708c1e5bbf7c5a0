import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import type { KeyFile } from './key-file.ts';

export interface SealingDeps {
  readonly store: UnitOfWork;
  readonly clock: Clock;
  /** Throws SECRET_KEY_WRONG before the key file was read. */
  readonly keyFile: () => KeyFile;
}

/** Setting with the id of the key that values are sealed with; set with the first of them. */
export const keyIdSetting = 'secret-key-id';
