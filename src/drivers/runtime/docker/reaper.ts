import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import { type Agent, agentText, isDeadAgent, labels } from './agent.ts';
import { type EngineObject, type RemovalQueue, removeObject } from './removal-queue.ts';

interface Found {
  readonly kind: EngineObject;
  readonly name: string;
  readonly agent: string;
}

/**
 * Removes what runners of this instance left in the engine: that of runners which are provably gone, and own things
 * that nothing here knows any more. Answers what it removed, in words.
 */
export async function reap(options: {
  readonly client: EngineClient;
  readonly agent: Agent;
  readonly removal: RemovalQueue;
}): Promise<readonly string[]> {
  const { client, agent, removal } = options;
  // Asked before the look: what is made meanwhile is known by the time that it is found.
  const own = agentText(agent);
  const found = await listObjects(client, agent);
  const left = found.filter((each) => (each.agent === own ? !removal.known.has(each.name) : isDeadAgent(each.agent)));
  const removed: string[] = [];
  let failures: unknown[] = [];
  let remaining = left;
  for (const pauseMs of pausesMs) {
    await sleep(pauseMs);
    failures = [];
    const failed: Found[] = [];
    for (const each of remaining) {
      try {
        await removeObject(client, each.kind, each.name);
        removed.push(`${words[each.kind]} ${each.name}`);
      } catch (error) {
        failures.push(error);
        failed.push(each);
      }
    }
    if (failed.length === 0) return removed;
    remaining = failed;
  }
  if (removed.length === 0) throw failures[0];
  return removed;
}

/** What others still use is tried again after them: a container whose network another joined, a volume, a network. */
const pausesMs = [0, 200, 1_000] as const;

const words: Record<EngineObject, string> = { containers: 'container', volumes: 'volume', networks: 'network' };

/** What this instance has in the engine; containers first, then what they use. */
export async function listObjects(client: EngineClient, agent: Agent): Promise<readonly Found[]> {
  const query = { filters: JSON.stringify({ label: [`${labels.instance}=${agent.instanceId}`] }) };
  type Labelled = { readonly Labels?: Readonly<Record<string, string>> | null };
  const containers = await client.call<readonly (Labelled & { readonly Names: readonly string[] })[]>(
    'GET',
    '/containers/json',
    { query: { ...query, all: 1 } },
  );
  const { Volumes: volumes } = await client.call<{
    readonly Volumes: readonly (Labelled & { readonly Name: string })[] | null;
  }>('GET', '/volumes', { query });
  const networks = await client.call<readonly (Labelled & { readonly Name: string })[]>('GET', '/networks', { query });
  const agentOf = ({ Labels }: Labelled): string => Labels?.[labels.agent] ?? '';
  return [
    ...containers.map((each) => ({
      kind: 'containers' as const,
      name: (each.Names[0] ?? '').replace(/^\//, ''),
      agent: agentOf(each),
    })),
    ...(volumes ?? []).map((each) => ({ kind: 'volumes' as const, name: each.Name, agent: agentOf(each) })),
    ...networks.map((each) => ({ kind: 'networks' as const, name: each.Name, agent: agentOf(each) })),
  ];
}
