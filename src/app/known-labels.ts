import { hostname } from 'node:os';
import { architectureName } from '../engine/architecture.ts';

/** Labels that every runner has by itself, under the names that Woodpecker's agents have for them. */
export function knownLabels(): Readonly<Record<string, string>> {
  const arch = architectureName(process.arch);
  return { platform: `linux/${arch}`, os: 'linux', arch, hostname: hostname(), backend: 'docker', repo: '*' };
}
