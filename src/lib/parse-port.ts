/** A port as files and images write it: `5432`, `5432/tcp`, `53/udp`; `undefined` when it is none. */
export function parsePort(text: string): { readonly port: number; readonly protocol: 'tcp' | 'udp' } | undefined {
  const match = /^([0-9]{1,5})(?:\/(tcp|udp))?$/.exec(text.trim().toLowerCase());
  const port = Number(match?.[1]);
  if (!match || port < 1 || port > 65_535) return undefined;
  return { port, protocol: match[2] === 'udp' ? 'udp' : 'tcp' };
}
