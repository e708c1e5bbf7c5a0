import type { Trust } from './trust.ts';

/** What steps can run on. `scripted` runs nothing, and takes whatever a demonstration or a test gives it. */
export type RuntimeName = 'sandbox' | 'docker' | 'scripted';

/** What a runner was asked to run steps on and cannot at the moment. */
export interface WithheldRuntime {
  readonly name: RuntimeName;
  /** A sentence without its full stop. */
  readonly why: string;
}

/** What the installation lets steps run on; `auto` = the sandbox where it may be, else a container engine. */
export type RuntimePolicy = 'auto' | 'sandbox' | 'docker';

/** Why a workflow may run where it may. `no-sandbox`: its runner has none, and a container engine is as good. */
export const runtimeReasons = ['trusted', 'untrusted', 'host-rights', 'project', 'installation', 'no-sandbox'] as const;
export type RuntimeReason = (typeof runtimeReasons)[number];

/** On what a workflow may run: all its steps on one of these, or not at all. */
export interface RuntimePlan {
  /** The preferred one first. */
  readonly allowed: readonly RuntimeName[];
  readonly reason: RuntimeReason;
  /** Steps are held tighter than usual: work of people who may not write to the project. */
  readonly isStrict?: true;
}

export interface RuntimeWish {
  readonly trust: Trust;
  /** A step asks for rights on its host: privileged, a device, a folder or the network of the host. */
  readonly asksForHost: boolean;
  /** The project's pipelines run in a container engine only: an administrator said so. */
  readonly forbidsSandbox: boolean;
  /** Absent = whatever a runner has. */
  readonly policy?: RuntimePolicy | undefined;
}

/**
 * On what a workflow may run (executors.md 5.1). Untrusted work and work that asks for its host never runs in the sandbox,
 * whatever the installation prefers; `undefined` where nobody has said anything: whatever its runner has will do.
 */
export function planRuntime({ trust, asksForHost, forbidsSandbox, policy }: RuntimeWish): RuntimePlan | undefined {
  if (trust === 'untrusted') return { allowed: ['docker'], reason: 'untrusted', isStrict: true };
  if (asksForHost) return { allowed: ['docker'], reason: 'host-rights' };
  if (forbidsSandbox) return { allowed: ['docker'], reason: 'project' };
  if (policy === undefined) return undefined;
  if (policy === 'auto') return { allowed: ['sandbox', 'docker'], reason: 'trusted' };
  return { allowed: [policy], reason: 'installation' };
}

/** Which of a runner's runtimes a workflow runs on, and why; `undefined` when it may run on none of them. */
export function chooseRuntime(
  plan: RuntimePlan | undefined,
  offered: readonly RuntimeName[],
): { readonly runtime: RuntimeName; readonly reason: RuntimeReason } | undefined {
  if (offered.includes('scripted')) return { runtime: 'scripted', reason: plan?.reason ?? 'installation' };
  if (!plan) return offered[0] && { runtime: offered[0], reason: 'installation' };
  const runtime = plan.allowed.find((name) => offered.includes(name));
  if (runtime === undefined) return undefined;
  return { runtime, reason: runtime === plan.allowed[0] ? plan.reason : 'no-sandbox' };
}
