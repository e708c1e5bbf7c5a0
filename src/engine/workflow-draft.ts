import type { IncludedPlace } from '../core/included-place.ts';
import type {
  BuildPlan,
  ConcurrencyPlan,
  HostRightsPlan,
  OnFailure,
  PortPlan,
  PullPolicy,
  SecretReference,
  VolumeMountPlan,
  VolumePlan,
} from '../core/plan.ts';
import type { RoutingPlan } from '../core/routing.ts';
import type { StepLimitsPlan } from '../core/step-limits.ts';
import type { ReusePlan } from '../core/step-reuse.ts';
import type { Conditions } from './conditions.ts';
import type { Workspace } from './environment.ts';
import type { HostRequest } from './host-request.ts';
import type { WrittenArtifact, WrittenUse } from './read-artifacts.ts';
import type { WrittenCache } from './read-cache.ts';
import type { CheckoutDraft } from './read-checkout.ts';
import type { WrittenRetry } from './read-retry.ts';
import type { WrittenSetting } from './read-settings.ts';
import type { Position } from './source-position.ts';

/** A workflow of a pipeline file, read and typed, before any condition is judged. */
export interface WorkflowDraft {
  /** What `depends_on` of other workflows says; those of one matrix share it. */
  readonly name: string;
  readonly type: string;
  readonly line: number;
  readonly trigger: Conditions;
  /** Names of other workflows. */
  readonly dependsOn: readonly Dependency[];
  readonly workspace: Workspace;
  readonly clone: CheckoutDraft;
  readonly environment: Readonly<Record<string, string>>;
  /** Services first, then steps, each in the order of the file; the checkout is not among them. */
  readonly steps: readonly StepDraft[];
  /** Temp volumes that its steps may name. */
  readonly volumes: readonly VolumePlan[];
  /** How many of its group may run at once; absent = any number. */
  readonly concurrency?: ConcurrencyPlan | undefined;
  /** Of the document: the checkout has no other. */
  readonly retry?: WrittenRetry | undefined;
  /** Artifacts of other workflows that are there before its steps begin; absent = none. */
  readonly uses?: readonly WrittenUse[] | undefined;
  readonly order: StepOrder;
  /** The axis values of this one, of a matrix. */
  readonly matrix: Readonly<Record<string, string>>;
  /** What it asks of its runner. */
  readonly routing?: RoutingPlan | undefined;
  /** A sentence when no runner can take it. */
  readonly blocked: string | undefined;
  /** Words of `runs_on`, which Woodpecker has beside `status` of the conditions; `undefined` when it is not there. */
  readonly runsOn: ReadonlySet<string> | undefined;
}

/**
 * `graph`: each step waits for what its `dependsOn` names, and one whose condition did not match counts as ended.
 * `stages`: one after the other, neighbours with the same `group` together; what did not match is left out before.
 * `levels`: as stages, unless a step says what it needs: then by levels with a barrier between them.
 */
export type StepOrder = 'graph' | 'stages' | 'levels';

export interface Dependency {
  readonly name: string;
  readonly isOptional: boolean;
  readonly at: Position;
}

export interface StepDraft {
  /** As the file has it: in `stages` and `levels` several may have it. */
  readonly name: string;
  readonly kind: 'commands' | 'image' | 'build';
  readonly image: string;
  readonly pull: PullPolicy;
  readonly commands: readonly string[];
  readonly entrypoint: readonly string[] | undefined;
  readonly command: readonly string[] | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** What a plugin is told, as variables; it wins over everything but secrets. */
  readonly settings: Readonly<Record<string, string>>;
  /** Where each setting stands. */
  readonly settingNodes?: readonly WrittenSetting[];
  /** It makes the checkout, natively, in place of the one that the file has switched off. */
  readonly isCheckout?: true;
  /** Its settings are those of `build` in `.gantry.yml`. */
  readonly hasBuild?: boolean;
  /** Of `kind: build`. */
  readonly build?: BuildPlan;
  readonly secrets: readonly SecretReference[];
  readonly when: Conditions;
  readonly onFailure: OnFailure;
  /** Only `.gantry.yml` says. */
  readonly retry?: WrittenRetry | undefined;
  /** Runs beside the steps; `undefined` = a step that others wait for. */
  readonly background: 'service' | 'detached' | undefined;
  /** Name by which others reach what runs beside them. */
  readonly hostName: string | undefined;
  /** Where it says that it listens. */
  readonly ports: readonly PortPlan[];
  readonly volumes: readonly VolumeMountPlan[];
  /** What it asks of its host, and where in the file. */
  readonly host?: HostRightsPlan | undefined;
  readonly hostRequests?: readonly HostRequest[];
  /** Only `.gantry.yml` has caches. */
  readonly cache?: WrittenCache | undefined;
  /** Only `.gantry.yml` has artifacts; absent = none. */
  readonly artifacts?: readonly WrittenArtifact[] | undefined;
  /** Only steps of `.gantry.yml` may be reused. */
  readonly reuse?: ReusePlan | undefined;
  readonly timeoutMs: number | undefined;
  readonly limits?: StepLimitsPlan | undefined;
  readonly user: string | undefined;
  readonly workingDirectory: string | undefined;
  /** In a `graph`: names of steps it waits for, the checkout among them. */
  readonly dependsOn: readonly string[];
  /** In `levels`: what it says it needs; `undefined` when it says nothing. */
  readonly needs: readonly Dependency[] | undefined;
  /** In `stages` and `levels`: neighbours with the same one run together. Empty = none. */
  readonly group: string;
  readonly line: number;
  /** Its place in an included file. */
  readonly within?: IncludedPlace | undefined;
}
