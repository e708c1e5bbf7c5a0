import type { GatheredCheckout } from '../../../core/checkout.ts';
import type { Outcome } from '../../../core/pipeline.ts';
import { checkoutIntroduction, gatherOutcome, submoduleLine } from '../gathered-clone.ts';
import type { ReleaseSpec, RepositorySpec, RunningStep, StagedStep } from '../runtime.ts';
import type { Checkout } from './checkout-cache.ts';
import { CheckoutFailure } from './checkout-maker.ts';

/** The step `clone`: the checkout was begun when the job was prepared, or begins when it is known what lies in it. */
export class CloneStep implements StagedStep {
  readonly #checkout: Promise<Checkout>;
  readonly #repository: RepositorySpec;
  readonly #begin: (gathering: Promise<GatheredCheckout>) => void;
  #state: 'staged' | 'released' | 'discarded' = 'staged';

  constructor(options: {
    readonly repository: RepositorySpec;
    readonly mounted: Promise<Checkout>;
    /** Told what lies in it, of one that is gathered. */
    readonly begin: (gathering: Promise<GatheredCheckout>) => void;
  }) {
    this.#repository = options.repository;
    this.#checkout = options.mounted;
    this.#begin = options.begin;
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
    const say = async (stream: 'stdout' | 'stderr', text: string): Promise<void> =>
      release.onOutput(stream, Buffer.from(text));
    let gathered: GatheredCheckout = { source: this.#repository, submodules: [] };
    if (this.#repository.isGathered) {
      const gathering = gather(release, say);
      this.#begin(gathering);
      try {
        gathered = await gathering;
      } catch (error) {
        return gatherOutcome(error, say);
      }
    }
    const { commit, branch, ref } = gathered.source;
    const where = branch === undefined ? ref : `branch ${branch}`;
    try {
      // Said at once: who watches sees that it has begun.
      await say('stdout', checkoutIntroduction(gathered));
      const checkout = await this.#checkout;
      const { subject, author } = checkout.summary;
      const submodules = gathered.submodules.map(submoduleLine).join('');
      await say('stdout', `Checked out ${origins[checkout.origin]}\n${subject}\nby ${author}\n${submodules}`);
      return { kind: 'exited', exitCode: 0 };
    } catch (error) {
      if (!(error instanceof CheckoutFailure)) {
        return { kind: 'infrastructure', message: error instanceof Error ? error.message : String(error) };
      }
      await say('stderr', `Cannot check out ${commit} (${where})\n${error.message}`);
      return error.outcome;
    }
  }
}

async function gather(
  release: ReleaseSpec,
  say: (stream: 'stdout', text: string) => Promise<void>,
): Promise<GatheredCheckout> {
  if (!release.gather) throw new TypeError('Cannot check out: nobody says what lies in the checkout');
  return release.gather((line) => void say('stdout', `${line}\n`));
}

const origins: Record<Checkout['origin'], string> = {
  kept: 'from a kept checkout',
  near: 'from the checkout of a near commit',
  fresh: 'from the repository',
};
