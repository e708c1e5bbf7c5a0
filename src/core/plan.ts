import type { CheckoutPlan } from './checkout.ts';
import type { EncryptedSecret } from './encrypted-secret.ts';
import type { RoutingPlan } from './routing.ts';
import type { RuntimePlan } from './runtime-choice.ts';
import type { StepLimitsPlan } from './step-limits.ts';
import type { ReusePlan } from './step-reuse.ts';
import type { TraceEntry } from './trace.ts';
import type { Trust } from './trust.ts';

/** What a pipeline file asks for at one event, in words that no dialect owns: the engine knows nothing else. */
export interface PipelinePlan {
  readonly dialect: Dialect;
  /** Path of the file in the repository. */
  readonly path: string;
  readonly workflows: readonly WorkflowPlan[];
  /** Every secret whose value stands encrypted in the file, with the place of the value; absent = none. */
  readonly encryptedSecrets?: readonly PlacedSecret[];
}

/** An encrypted value with its place in the file, from 1. */
export interface PlacedSecret extends EncryptedSecret {
  readonly line: number;
  readonly column: number;
}

export type Dialect = 'gantry' | 'drone08' | 'drone1' | 'woodpecker';

export interface RunOn {
  readonly success: boolean;
  readonly failure: boolean;
  /** Runs once its workflow was cancelled and all that ran has ended (`.gantry.yml`, pipelines.md 13.1). Absent = no. */
  readonly cancelled?: true;
}

/** One document of the file: steps that share a workspace and a network, placed on one runner. */
export interface WorkflowPlan {
  readonly name: string;
  readonly dependsOn: readonly string[];
  /** Judged when all its dependencies have ended. */
  readonly runOn: RunOn;
  /** What `runOn` looks at: every workflow of the pipeline that has ended by then (Drone), or its dependencies. */
  readonly runOnJudges?: 'pipeline' | 'dependencies';
  /** The axis values of this one, of a matrix. */
  readonly matrix?: Readonly<Record<string, string>>;
  readonly workspace: { readonly base: string; readonly path: string };
  readonly clone: CheckoutPlan;
  /** How many workflows of the group may run at once, over all pipelines of the project; absent = any number. */
  readonly concurrency?: ConcurrencyPlan;
  /** What its event gives to every step of it; what a step has of its own wins (`environmentOfStep`). */
  readonly environment?: Readonly<Record<string, string>>;
  /** What its plugins are given as well, the weakest of all: names under which other systems tell the same. */
  readonly pluginEnvironment?: Readonly<Record<string, string>>;
  /** Temp volumes that its steps may share; gone with it. Absent = none. */
  readonly volumes?: readonly VolumePlan[];
  /** The first is the checkout, named `clone`, unless it is disabled. Order is that of the file. */
  readonly steps: readonly StepPlan[];
  /** Secrets that its steps name and whose values stand encrypted in the file; absent = none. */
  readonly encryptedSecrets?: readonly EncryptedSecret[];
  /** Whose work it is: what runs it goes by that. Absent = `trusted`. */
  readonly trust?: Trust;
  /** On what it may run, and why; absent = whatever its runner has. */
  readonly runtime?: RuntimePlan;
  /** What it asks of its runner; absent = nothing. */
  readonly routing?: RoutingPlan;
  /** A sentence when no runner can take it: it is blocked while the others run. */
  readonly blocked?: string | undefined;
  /** Exit codes that end the workflow early with success (Drone 1.x: 78). */
  readonly earlySuccessExitCodes: readonly number[];
  /**
   * What a failure keeps from starting: every step that has not started (Drone 1.x, where branches of the graph are
   * free), or those whose turn had not come (stages and levels).
   */
  readonly failureSkips?: 'unstarted' | 'later';
}

export interface ConcurrencyPlan {
  readonly limit: number;
  readonly group: string;
}

export interface StepPlan {
  readonly name: string;
  /** `build`: an image is built and pushed, by a builder and in no container. */
  readonly kind: 'clone' | 'commands' | 'image' | 'build';
  /** As written in the file; empty for a checkout. */
  readonly image: string;
  readonly pull: PullPolicy;
  /** Whether its image alone decides what runs: no commands, entrypoint or environment of the file (pipelines.md 11.3). */
  readonly isPlugin?: true;
  readonly commands: readonly string[];
  readonly entrypoint?: readonly string[] | undefined;
  readonly command?: readonly string[] | undefined;
  /** What it has over the environment of its workflow; whole for one that may be reused, and in plans of old. */
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: readonly SecretReference[];
  /** Names of steps in this workflow that must have ended. */
  readonly dependsOn: readonly string[];
  readonly runOn: RunOn;
  readonly onFailure: OnFailure;
  /** How often its workflow may run when this step ends as infrastructure; absent = once. */
  readonly retry?: RetryPlan;
  /** A step whose condition did not match never runs, and counts as ended for those that wait for it. */
  readonly skipped?: TraceEntry | undefined;
  /**
   * Runs beside the others: they wait until it is up and not for its end, and it is ended when the last of them has
   * ended. A `service` is up when its ports answer, a `detached` step once it has started. `onFailure` is `ignore`.
   */
  readonly background?: 'service' | 'detached';
  /** Name by which the other steps of the workflow reach it; only of background steps. */
  readonly hostName?: string;
  /** Ports that the file says it listens on. */
  readonly ports?: readonly PortPlan[];
  readonly volumes?: readonly VolumeMountPlan[];
  readonly cache?: CachePlan;
  /** What it leaves for other workflows and for download; absent = nothing. */
  readonly artifacts?: readonly ArtifactPlan[];
  /** Of `kind: build`. */
  readonly build?: BuildPlan;
  /** It runs nothing: it puts these into the workspace, before the steps that need them. */
  readonly takes?: readonly TakenArtifact[];
  /** Its result may stand for running it again; its environment and network are those of such a step. */
  readonly reuse?: ReusePlan;
  /** What it asks of the host that it runs on; only in projects that an administrator trusts with that. */
  readonly host?: HostRightsPlan;
  readonly timeoutMs: number;
  /** Absent = what its runner lets every step take. */
  readonly limits?: StepLimitsPlan;
  readonly user?: string | undefined;
  /** Folder in which the step starts; absent = `startsIn`. */
  readonly workingDirectory?: string | undefined;
  /** Absent = the workspace; `image` = the folder that its image names. */
  readonly startsIn?: 'image';
  /** Line of the step in the file, for links. */
  readonly line: number;
}

/**
 * What a failure of a step does: `ignore` = nothing; `cancel-workflow` = the rest of its workflow is cancelled at once,
 * what runs included (Drone's `fast`); `cancel-pipeline` = so is the rest of the pipeline (Woodpecker's `cancel`).
 */
export type OnFailure = 'fail' | 'ignore' | 'cancel-workflow' | 'cancel-pipeline';

/** Whose settings a build step has: those of a plugin, or of `build` in `.gantry.yml`. */
export type BuildPlugin = 'gantry' | 'docker' | 'ecr' | 'gcr' | 'gar' | 'acr' | 'kaniko' | 'kaniko-script' | 'buildx';

/** What a build goes by beside its settings, which are among the variables of its step as `PLUGIN_…`. */
export interface BuildPlan {
  readonly plugin: BuildPlugin;
  /** Reference of the event: `auto_tag` makes tags of it. */
  readonly ref: string;
  readonly defaultBranch: string;
  /** For the labels that plugins put on an image: commit, address of the repository, page of the project. */
  readonly revision: string;
  readonly source: string;
  readonly link: string;
}

/** When a workflow is run again by itself. */
export interface RetryPlan {
  /** Most runs, the first included, when nobody's verdict ended it: runner lost, registry down, engine restarted. */
  readonly infrastructure: number;
}

export interface PortPlan {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}

/** A folder that is empty when its workflow starts and gone when it ends. */
export interface VolumePlan {
  readonly name: string;
  readonly medium: 'disk' | 'memory';
  /** Only of those in memory; absent = what the runtime allows by default. */
  readonly sizeBytes?: number;
}

/** Where a step sees one of its workflow's volumes. */
export interface VolumeMountPlan {
  readonly name: string;
  /** Absolute path in the step. */
  readonly target: string;
  readonly isReadOnly?: boolean;
}

/** What only a container engine gives, and a trusted project gets. */
export interface HostRightsPlan {
  /** All rights on the host. Its image has to be on the installation's list. */
  readonly isPrivileged?: true;
  readonly devices?: readonly DevicePlan[];
  readonly volumes?: readonly HostVolumePlan[];
  /** It is in the network of the host instead of its workflow's. */
  readonly usesHostNetwork?: true;
}

export interface DevicePlan {
  /** On the host: `/dev/kvm`. */
  readonly source: string;
  readonly target: string;
  /** Some of `rwm`: read, write, make nodes. */
  readonly rights: string;
}

export interface HostVolumePlan {
  /** Absolute path on the host. */
  readonly source: string;
  /** Absolute path in the step. */
  readonly target: string;
  readonly isReadOnly?: boolean;
}

/** Folders of a step that are kept from one pipeline to the next. */
export interface CachePlan {
  readonly key: string;
  /** Beginnings of keys that are tried in their order when no entry has the key. */
  readonly restore: readonly string[];
  /** Absolute paths in the step; those in the workspace are seen by the steps after it too. */
  readonly paths: readonly string[];
}

/** Files of the workspace that are kept under a name when the step has ended. */
export interface ArtifactPlan {
  /** Safe as a file name. */
  readonly name: string;
  /** Patterns below the workspace; one that names a folder means all that is in it. */
  readonly paths: readonly string[];
  readonly exclude: readonly string[];
  readonly keepMs: number;
  readonly when: 'success' | 'failure' | 'always';
}

/** An artifact of another workflow of the same pipeline. */
export interface TakenArtifact {
  readonly name: string;
  /** The workflow that makes it, whether it runs or not. */
  readonly workflow: string;
  /** Folder below the workspace that it is unpacked in; empty = the workspace, so that files are where they were. */
  readonly path: string;
}

/** always · if-not-present · never; `default` = by the tag (executors 2.6: version-like or digest → if-not-present). */
export type PullPolicy = 'always' | 'if-not-present' | 'never' | 'default';

export interface SecretReference {
  /** Environment variable that receives it. */
  readonly variable: string;
  /** Name of the project's secret, in lower case. */
  readonly secret: string;
  /** Whether a missing secret ends the workflow before its first step (`.gantry.yml`) or is left unset (Drone). */
  readonly isRequired: boolean;
  /** The variable's whole value where it is JSON with secrets in it: each part is text, or stands for a secret. */
  readonly parts?: readonly (string | { readonly secret: string })[];
}

/**
 * The environment of a step, complete but for what is known only at its start (status, times) and for secrets. One that may be
 * reused has nothing of its event, and one that only takes artifacts runs nothing of the file.
 */
export function environmentOfStep(
  workflow: Pick<WorkflowPlan, 'environment' | 'pluginEnvironment'>,
  step: StepPlan,
): Record<string, string> {
  if (step.reuse || step.takes) return { ...step.environment };
  return { ...(isImageAlone(step) ? workflow.pluginEnvironment : {}), ...workflow.environment, ...step.environment };
}

/** Whether what an image does by itself is what a step runs. A service is nobody's plugin. */
export function isImageAlone({
  kind,
  background,
}: {
  readonly kind: StepPlan['kind'];
  readonly background?: StepPlan['background'] | undefined;
}): boolean {
  return kind !== 'commands' && kind !== 'clone' && background !== 'service';
}
