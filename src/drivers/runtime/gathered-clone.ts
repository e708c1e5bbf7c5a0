import type { GatheredCheckout, SubmoduleSource } from '../../core/checkout.ts';
import { GantryError } from '../../core/errors.ts';
import type { Outcome } from '../../core/pipeline.ts';

/** What a checkout says of itself before it begins. */
export function checkoutIntroduction({ source }: GatheredCheckout): string {
  const { branch, commit, ref } = source;
  return `Checking out ${commit} (${branch === undefined ? ref : `branch ${branch}`})\n`;
}

/** What it says of a submodule that is there. */
export function submoduleLine({ commit, path, remoteUrl }: SubmoduleSource): string {
  return `Submodule ${path}: ${commit} from ${remoteUrl}\n`;
}

/** How the step ends that could not be told what lies in it: what is refused is its own fault, a silent host is nobody's. */
export async function gatherOutcome(
  error: unknown,
  say: (stream: 'stderr', text: string) => Promise<void> | void,
): Promise<Outcome> {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof GantryError) || error.kind === 'unavailable') return { kind: 'infrastructure', message };
  await say('stderr', `${message}\n`);
  return { kind: 'exited', exitCode: 1 };
}
