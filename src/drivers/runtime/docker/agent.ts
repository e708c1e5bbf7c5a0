import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { isAlive, type ProcessIdentity } from '../../../lib/process-identity.ts';

/** One run of one runner of one Gantry: all that it makes in an engine carries this. */
export interface Agent extends ProcessIdentity {
  readonly instanceId: string;
}

export const labels = {
  instance: 'gantry.instance',
  /** `pid.startTicks.bootId.host` of the runner. */
  agent: 'gantry.agent',
  job: 'gantry.job',
  step: 'gantry.step',
} as const;

export function agentLabels(agent: Agent): Record<string, string> {
  return { [labels.instance]: agent.instanceId, [labels.agent]: agentText(agent) };
}

export function agentText({ pid, startTicks, bootId }: Agent): string {
  return `${pid}.${startTicks}.${bootId}.${hostname()}`;
}

/** Beginning of the names of all that an agent makes: eight letters tell runners on one engine apart. */
export function agentPrefix(agent: Agent): string {
  const hash = createHash('sha256')
    .update(`${agent.instanceId} ${agentText(agent)}`)
    .digest('hex')
    .slice(0, 8);
  return `gantry-${hash}`;
}

/**
 * Whether the runner that a label names is provably gone. One of another host may live, and engines serve several; what
 * the same host named on an earlier boot is over.
 */
export function isDeadAgent(text: string): boolean {
  const [pid = '', startTicks = '', bootId = '', ...host] = text.split('.');
  if (!/^[1-9]\d*$/.test(pid) || !/^\d+$/.test(startTicks) || bootId === '') return false;
  if (host.join('.') !== hostname()) return false;
  return !isAlive({ pid: Number(pid), startTicks: Number(startTicks), bootId });
}
