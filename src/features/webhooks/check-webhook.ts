import { isIP } from 'node:net';
import { GantryError } from '../../core/errors.ts';
import type { AddressGuard } from '../../lib/address-guard.ts';

/** Headers that are ours, or that decide how the request is read. */
const ownHeaders =
  /^(host|content-.*|transfer-encoding|connection|keep-alive|upgrade|expect|te|trailer|user-agent|proxy-.*|webhook-.*)$/i;

/** The address as it is stored. Throws WEBHOOK_INVALID. */
export function checkUrl(text: string, guard: AddressGuard): string {
  const what = 'Cannot send webhooks there';
  if (!URL.canParse(text))
    throw new GantryError('WEBHOOK_INVALID', `${what}: it is no address such as https://example.org/hook`);
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new GantryError('WEBHOOK_INVALID', `${what}: the address begins neither with https:// nor with http://`);
  if (url.username !== '' || url.password !== '')
    throw new GantryError('WEBHOOK_INVALID', `${what}: the address holds a name or password; send them in a header`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !guard.mayReach(host))
    throw new GantryError(
      'WEBHOOK_INVALID',
      `${what}: ${host} is not a public address, and GANTRY_WEBHOOK_ALLOW of this Gantry does not name it`,
    );
  url.hash = '';
  return url.href;
}

/** Throws WEBHOOK_INVALID. */
export function checkHeader({ name, value }: { readonly name: string; readonly value: string }): void {
  const what = `Cannot send the header "${name}" with webhooks`;
  if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
    throw new GantryError('WEBHOOK_INVALID', `${what}: it is no name of a header`);
  if (ownHeaders.test(name)) throw new GantryError('WEBHOOK_INVALID', `${what}: Gantry sets it itself`);
  if (!/^[\x20-\x7e]+$/.test(value))
    throw new GantryError('WEBHOOK_INVALID', `${what}: its value has characters other than visible ASCII`);
}
