import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const settings = '/proc/sys/net/ipv4';

/**
 * Lets IPv4 packets pass between the bridge of jobs and the ways out, and between nothing else: the kernel looks at the
 * interface by which a packet comes in. Where the host forwards everything (`ip_forward`) nothing is changed. Answers
 * the interfaces whose setting was changed, but for the bridge. Throws what the kernel refused.
 */
export function switchOnForwarding(bridge: string, uplinks: readonly string[], folder = settings): readonly string[] {
  const changed: string[] = [];
  for (const name of [bridge, ...(forwardsEverything(folder) ? [] : uplinks)]) {
    const path = pathOf(name, folder);
    if (!existsSync(path) || readFileSync(path, 'utf8').trim() === '1') continue;
    writeFileSync(path, '1');
    if (name !== bridge) changed.push(name);
  }
  return changed;
}

/** Takes back what `switchOnForwarding` changed, unless the host was told to forward everything meanwhile. */
export function switchOffForwarding(changed: readonly string[], folder = settings): void {
  if (forwardsEverything(folder)) return;
  for (const name of changed) if (existsSync(pathOf(name, folder))) writeFileSync(pathOf(name, folder), '0');
}

/** Interfaces that have a route, from the output of `ip -4 route show table main`. */
export function routedInterfaces(routes: string): readonly string[] {
  const names = [...routes.matchAll(/\bdev (\S+)/g)].map(([, name]) => name!);
  return [...new Set(names)].filter((name) => name !== 'lo' && !name.startsWith('gantry'));
}

function forwardsEverything(folder: string): boolean {
  return readFileSync(join(folder, 'ip_forward'), 'utf8').trim() === '1';
}

function pathOf(name: string, folder: string): string {
  return join(folder, 'conf', name, 'forwarding');
}
