import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Passwords } from './passwords.ts';

export interface AccountsDeps {
  readonly store: UnitOfWork;
  readonly clock: Clock;
  readonly passwords: Passwords;
  /** Decides on the session's cookie. */
  readonly publicUrl: string;
  readonly version: string;
}
