import type { Outcome } from '../../../core/pipeline.ts';
import type { ReleaseSpec, RepositorySpec, RunningStep, StagedStep } from '../runtime.ts';
import type { Checkout } from './checkout-cache.ts';
import { CheckoutFailure } from './checkout-maker.ts';

/** The step `clone`: the checkout was begun when the job was prepared; this waits for it and tells about it. */
export class CloneStep implements StagedStep {
  readonly #checkout: Promise<Checkout>;
  readonly #repository: RepositorySpec;
  #state: 'staged' | 'released' | 'discarded' = 'staged';

  constructor(options: { readonly repository: RepositorySpec; readonly mounted: Promise<Checkout> }) {
    this.#repository = options.repository;
    this.#checkout = options.mounted;
  }

  release(release: ReleaseSpec): RunningStep {
    if (this.#state !== 'staged') throw new TypeError(`Cannot release the checkout: it was already ${this.#state}`);
    this.#state = 'released';
    const stopped = Promise.withResolvers<Outcome>();
    const timeout = setTimeout(
      () => stopped.resolve({ kind: 'timed-out', timeoutMs: release.timeoutMs }),
      Math.min(release.timeoutMs, 2 ** 31 - 1),
    );
    // Others may wait for the same checkout: a cancelled job stops waiting, the making goes on.
    const outcome = Promise.race([this.#run(release), stopped.promise]).finally(() => clearTimeout(timeout));
    return { outcome, cancel: (reason) => stopped.resolve({ kind: 'cancelled', reason }) };
  }

  async discard(): Promise<void> {
    if (this.#state === 'staged') this.#state = 'discarded';
  }

  async #run(release: ReleaseSpec): Promise<Outcome> {
    const { commit, branch, ref } = this.#repository;
    const where = branch === undefined ? ref : `branch ${branch}`;
    try {
      // Said at once: who watches sees that it has begun.
      await release.onOutput('stdout', Buffer.from(`Checking out ${commit} (${where})\n`));
      const checkout = await this.#checkout;
      const { subject, author } = checkout.summary;
      await release.onOutput(
        'stdout',
        Buffer.from(`Checked out ${origins[checkout.origin]}\n${subject}\nby ${author}\n`),
      );
      return { kind: 'exited', exitCode: 0 };
    } catch (error) {
      if (!(error instanceof CheckoutFailure)) {
        return { kind: 'infrastructure', message: error instanceof Error ? error.message : String(error) };
      }
      await release.onOutput('stderr', Buffer.from(`Cannot check out ${commit} (${where})\n${error.message}`));
      return error.outcome;
    }
  }
}

const origins: Record<Checkout['origin'], string> = {
  kept: 'from a kept checkout',
  near: 'from the checkout of a near commit',
  fresh: 'from the repository',
};
