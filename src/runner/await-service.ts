import type { PortPlan, StepPlan } from '../core/plan.ts';
import type { RuntimeJob } from '../drivers/runtime/runtime.ts';

/** How long a service may stay silent before the steps go on without it. */
export const defaultServiceReadyLimitMs = 60_000;
/** How long the other ports of a service are waited for once one of them answers. */
const settleMs = 5_000;

/** What became of the wait: nobody need wait for it any more, and why not. */
export interface Readiness {
  /** A line for the step's log; absent when there was nothing to wait for. */
  readonly line?: string;
  /** It never answered on these ports. */
  readonly silence?: { readonly ports: string; readonly limitMs: number };
}

/**
 * Waits until a step that runs beside the others is up: a service when its ports answer (those of the file, or else those
 * of its image), a detached step at once unless the file names its ports. Answers `undefined` when it ended meanwhile.
 */
export async function awaitService(options: {
  readonly job: RuntimeJob;
  readonly stepId: string;
  readonly plan: Pick<StepPlan, 'background' | 'ports'>;
  /** Ports that its image exposes. */
  readonly imagePorts: readonly PortPlan[] | undefined;
  readonly limitMs: number;
  /** Aborted when the step has ended. */
  readonly signal: AbortSignal;
}): Promise<Readiness | undefined> {
  const { job, stepId, plan, imagePorts, limitMs, signal } = options;
  const ports = plan.ports ?? (plan.background === 'service' ? imagePorts : undefined) ?? [];
  if (ports.length === 0) return {};
  try {
    const { answered } = await job.waitForPorts({ stepId, ports, timeoutMs: limitMs, settleMs, signal });
    if (answered.length > 0) return { line: `ready: port ${portText(answered)} answers` };
  } catch (error) {
    if (signal.aborted) return undefined;
    return { line: `warning: ${error instanceof Error ? error.message : String(error)}` };
  }
  const silence = { ports: portText(ports), limitMs };
  const line = `warning: nothing answered on port ${silence.ports} for ${Math.round(limitMs / 1_000)} s: the steps go on`;
  return { line, silence };
}

/** `5432, 53/udp`. */
function portText(ports: readonly PortPlan[]): string {
  return ports.map(({ port, protocol }) => (protocol === 'tcp' ? `${port}` : `${port}/${protocol}`)).join(', ');
}
