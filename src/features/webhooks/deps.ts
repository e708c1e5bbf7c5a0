import type { HappeningBus } from '../../core/events.ts';
import type { Repository } from '../../core/repository.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { ValueSealer } from '../../core/value-sealer.ts';
import type { AddressGuard } from '../../lib/address-guard.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Timers } from '../../lib/timers.ts';

export interface WebhooksDeps {
  readonly store: UnitOfWork;
  readonly happenings: HappeningBus;
  readonly repository: Pick<Repository, 'resolve'>;
  readonly sealer: ValueSealer;
  /** Plans a stored event, and answers the pipeline that came of it. */
  readonly planNow: (eventId: number) => Promise<{ readonly pipeline: { readonly number: number } | undefined }>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Address of this Gantry, without a slash at its end. */
  readonly publicUrl: () => string;
  /** Where webhooks may be sent to. */
  readonly guard: AddressGuard;
  /** Certificates to trust for https, as PEM; the system's where it is absent. */
  readonly ca?: string | undefined;
  /** Addresses of a host; those that the system finds where it is absent. */
  readonly resolve?: ((name: string) => Promise<readonly string[]>) | undefined;
  /** For a try as a whole; 15 s where it is absent. */
  readonly timeoutMs?: number | undefined;
  /** From 0 to 1. */
  readonly random?: (() => number) | undefined;
}
