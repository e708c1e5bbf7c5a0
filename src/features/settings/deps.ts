import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';

export interface SettingsDeps {
  readonly store: UnitOfWork;
  readonly clock: Clock;
}
