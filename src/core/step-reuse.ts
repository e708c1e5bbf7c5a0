import type { CacheAccess } from './cache.ts';

/** What a step of `.gantry.yml` says of itself so that its result may stand for running it again. */
export interface ReusePlan {
  /** Paths and patterns below the top of the repository: all that it reads of it. `.git` stands for the commit itself. */
  readonly inputs: readonly string[];
  /** Paths below the workspace that it leaves for the steps after it. */
  readonly outputs: readonly string[];
  /** Whether it may use the network; where not, it has none, whether reuse is on or off. */
  readonly usesNetwork: boolean;
  /** Who switched reuse off; absent = it is on. The step runs in the same surroundings either way. */
  readonly off?: 'project' | 'start';
}

/** What goes into a step's content key, by what it is: `input src` → id of the tree, `variable NODE_ENV` → checksum. */
export type ReuseParts = Readonly<Record<string, string>>;

/** What the server gives a runner to find and keep results with. */
export interface ReuseOffer {
  readonly access: CacheAccess;
  /** The workflow is run again: its steps run, and what they leave replaces what was kept. */
  readonly isRerun?: boolean;
  /** Ids of the inputs at the commit, by position of the step. */
  readonly inputs: Readonly<Record<number, ReuseParts>>;
  /**
   * Of steps that leave artifacts, by position: the steps of before that still have all of them, as `holderOf` writes
   * them. Only their results can be taken.
   */
  readonly holders?: Readonly<Record<number, readonly string[]>> | undefined;
}

/** A step of an attempt of a workflow, as one word. */
export function holderOf({ workflowId, attempt }: Pick<ReuseOrigin, 'workflowId' | 'attempt'>): string {
  return `${workflowId}/${attempt}`;
}

/** The step whose result it is. */
export interface ReuseOrigin {
  /** Number of the pipeline. */
  readonly pipeline: number;
  readonly workflow: string;
  readonly step: string;
  readonly stepId: number;
  readonly workflowId: number;
  /** Of the workflow. */
  readonly attempt: number;
}

/** Why a step that may be reused was run. */
export type ReuseMiss =
  /** Nothing is kept of it. */
  | { readonly kind: 'first' }
  /** A part of its key is another one than in the pipeline with this number. */
  | { readonly kind: 'changed'; readonly part: string; readonly pipeline: number }
  /** The same in all parts, and what was kept is gone. */
  | { readonly kind: 'gone' }
  /** It waits for a step that cannot be reused, so that nobody knows what it starts from. */
  | { readonly kind: 'upstream'; readonly step: string }
  | { readonly kind: 'rerun' }
  /** What its image is could not be told. */
  | { readonly kind: 'image'; readonly image: string }
  /** Nothing is kept where it runs; `why` is the end of a sentence. */
  | { readonly kind: 'runtime'; readonly runtime: string; readonly why?: string | undefined };

/** What became of a step that may be reused. */
export type ReuseReport =
  | { readonly result: 'reused'; readonly from: ReuseOrigin }
  | { readonly result: 'missed'; readonly miss: ReuseMiss };

/** Name under which results of a step are found when their key is another one, and under which its hits are counted. */
export function reuseLabel(workflow: string, step: string): string {
  return `reuse: ${workflow} / ${step}`;
}
