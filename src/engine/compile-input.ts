import type { EventKind } from '../core/event.ts';
import type { PipelineError } from '../core/pipeline.ts';
import type { HostTrust } from '../core/pipeline-settings.ts';
import type { PipelinePlan } from '../core/plan.ts';
import type { RuntimePolicy } from '../core/runtime-choice.ts';
import type { TraceEntry } from '../core/trace.ts';
import type { Trust } from '../core/trust.ts';
import type { Visibility } from '../core/visibility.ts';
import type { BlobIds } from './cache-key.ts';
import type { IncludedText } from './includes.ts';

export interface PipelineFile {
  readonly path: string;
  readonly text: string;
  /** Whether `text` is what a program wrote that stands under `path`. */
  readonly isConverted?: boolean;
  /** Of `.gantry.yml`: what was read for its `include`. */
  readonly includes?: readonly IncludedText[] | undefined;
}

/** Everything that a compilation may depend on: the same input gives the same plan, on the server and in the CLI. */
export interface CompileInput {
  /** Those that exist at the commit, in the order of precedence: the first counts, the others are named in the trace. */
  readonly files: readonly PipelineFile[];
  readonly event: EventFacts;
  readonly project: ProjectFacts;
  readonly pipeline: { readonly number: number; readonly createdAt: Date; readonly link: string };
  /** Address of this Gantry, e.g. `https://git.example.com`. */
  readonly instanceUrl: string;
  /** Of the machine where steps will run, as Docker names it; default `amd64`. What is known only there wins. */
  readonly architecture?: string | undefined;
  /** Lower-case names of the secrets that there are. Which of them a step is given is asked for when it starts. */
  readonly secretNames: readonly string[];
  /** Plain variables of project and organisation: what the file says of the same name wins. */
  readonly variables?: Readonly<Record<string, string>> | undefined;
  /** For steps whose file does not say. */
  readonly stepTimeoutMs: number;
  /** Ids of files at the commit whose checksums the files ask for (`checksumPaths`); absent = they are not looked up. */
  readonly blobs?: BlobIds | undefined;
  /** Settings of the project that change what a file means. */
  readonly rules?: CompileRules | undefined;
}

export interface CompileRules {
  /** Where the pipeline file is, or their folder with a slash at its end: not looked for elsewhere then. */
  readonly path?: string | undefined;
  /** `paths` of Drone files count, which Drone itself does not look at. */
  readonly evaluatesDronePaths?: boolean;
  /** A step of Woodpecker that needs one which its conditions left out runs all the same. */
  readonly toleratesFilteredSteps?: boolean;
  /** Caches are neither restored nor saved: by the settings of the project, or by who started the pipeline. */
  readonly ignoresCaches?: 'project' | 'start';
  /** Steps run although earlier results could stand for them. Who ignores caches ignores these too. */
  readonly ignoresReuse?: 'start';
  /** What of their hosts steps may have. */
  readonly trusts?: readonly HostTrust[] | undefined;
  /** Images that may run privileged, as the installation says; absent = its runtime is asked, and nobody here. */
  readonly privilegedImages?: readonly string[] | undefined;
  /** Plugins that build images run as containers, not natively: the project says so. */
  readonly runsBuildersAsContainers?: boolean;
  /** There is nothing to build images with. */
  readonly hasNoBuilder?: boolean;
  /** Steps run in a container engine only, as the project says. */
  readonly forbidsSandbox?: boolean;
  /** What steps run on, as the installation says; absent = whatever a runner has. */
  readonly runtime?: RuntimePolicy | undefined;
}

/** Events that files can name. */
export type FileEvent = EventKind;

export interface EventFacts {
  readonly kind: FileEvent;
  /** `refs/heads/main`, `refs/tags/v1`. */
  readonly ref: string;
  /** Branch of the push or manual run; for a tag, its name. */
  readonly branch: string;
  readonly before: string;
  readonly commit: string;
  readonly message: string;
  readonly authorName: string;
  readonly authorEmail: string;
  /** Who pushed or started it. */
  readonly personName: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Where a promotion or rollback goes. */
  readonly target?: string | undefined;
  /** Name of the schedule that started it. */
  readonly schedule?: string | undefined;
  /** Number of the pipeline that a promotion or rollback repeats. */
  readonly parentNumber?: number | undefined;
  readonly pullRequest?: PullRequestFacts | undefined;
  /** Whose work it is; absent = `trusted`. */
  readonly trust?: Trust | undefined;
  /** Paths that the change touched; absent when nobody can tell. */
  readonly changedPaths?: readonly string[] | undefined;
}

export interface PullRequestFacts {
  readonly number: number;
  readonly title: string;
  readonly sourceBranch: string;
  readonly targetBranch: string;
  /** opened · synchronized · … */
  readonly action: string;
}

export interface ProjectFacts {
  readonly owner: string;
  readonly name: string;
  readonly visibility: Visibility;
  readonly defaultBranch: string;
  readonly link: string;
  readonly cloneUrl: string;
}

/**
 * Facts that are other ones at every push. What a plan's structure does not read of them it cannot depend on, so that it
 * is the same structure at the next push.
 */
export const passingFacts = [
  'before',
  'commit',
  'message',
  'authorName',
  'authorEmail',
  'personName',
  'parentNumber',
  'changedPaths',
  'pipeline',
] as const;
export type PassingFact = (typeof passingFacts)[number];

export type CompileResult =
  | {
      readonly kind: 'planned';
      readonly plan: PipelinePlan;
      readonly trace: readonly TraceEntry[];
      /** What all but the shared environments was made of, of the facts that pass; absent = nobody knows. */
      readonly reads?: readonly PassingFact[] | undefined;
    }
  /** Nothing to run: no file, a skip marker, or no trigger that matches; the trace says which. */
  | { readonly kind: 'nothing'; readonly trace: readonly TraceEntry[]; readonly reads?: readonly PassingFact[] }
  /** The file is wrong: becomes a pipeline that failed, with the error at its line. */
  | {
      readonly kind: 'failed';
      readonly path: string;
      readonly error: PipelineError;
      readonly trace: readonly TraceEntry[];
    };

/** Paths looked for, in the order of precedence; a folder ends with a slash (pipelines.md 5). */
export const pipelineFilePaths = [
  '.gantry.yml',
  '.gantry.yaml',
  '.woodpecker/',
  '.woodpecker.yaml',
  '.woodpecker.yml',
  '.drone.yml',
  '.drone.yaml',
  '.drone.star',
  '.drone.jsonnet',
] as const;
