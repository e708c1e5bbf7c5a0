import { GantryError } from '../../../core/errors.ts';

/** Where an engine listens: a socket on this host, or a host and port, with or without TLS. */
export type EngineAddress =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'network'; readonly host: string; readonly port: number; readonly isTls: boolean };

/** Reads `unix:///var/run/docker.sock`, `tcp://host:2375`, `http://…` or `https://host:2376`. Throws CONFIG_INVALID. */
export function parseEngineAddress(text: string): EngineAddress {
  const socket = /^unix:\/\/(\/.+)$/.exec(text)?.[1];
  if (socket !== undefined) return { kind: 'socket', path: socket };
  const url = URL.parse(text);
  if (!url || url.hostname === '' || !['tcp:', 'http:', 'https:'].includes(url.protocol))
    throw new GantryError(
      'CONFIG_INVALID',
      `Cannot reach a container engine at "${text}": write unix:///path/to/socket, tcp://host:port or https://host:port`,
    );
  const isTls = url.protocol === 'https:';
  const port = url.port === '' ? defaultPorts[isTls ? 'tls' : 'plain'] : Number(url.port);
  return { kind: 'network', host: url.hostname, port, isTls };
}

/** As Docker's own client takes them. */
const defaultPorts = { plain: 2_375, tls: 2_376 };
