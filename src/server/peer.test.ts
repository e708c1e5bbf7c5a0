import { describe, expect, it } from 'vitest';
import { networkOf } from '../lib/network-of.ts';
import { peerOf, trustedProxyList } from './peer.ts';

const from = (socket: string | undefined, headers: Record<string, string>, trusted: readonly string[] = []) =>
  peerOf(socket, (name) => headers[name], trustedProxyList(trusted));

describe('peerOf', () => {
  const spoofed = { host: 'gantry.test', 'x-forwarded-for': '10.1.1.1', 'x-forwarded-host': 'evil.test' };

  it('believes no header of a peer that is not trusted', () => {
    expect(from('192.0.2.1', spoofed)).toEqual({ address: '192.0.2.1', host: 'gantry.test', isTrusted: false });
    expect(from('192.0.2.1', spoofed, ['198.51.100.0/24'])).toMatchObject({
      address: '192.0.2.1',
      host: 'gantry.test',
    });
    expect(from(undefined, spoofed)).toMatchObject({ address: 'local', isTrusted: false });
  });

  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['6.6.6.6, 203.0.113.9', '203.0.113.9'],
    ['203.0.113.9, 192.0.2.7', '203.0.113.9'],
    ['203.0.113.9, ::ffff:192.0.2.7, 192.0.2.8', '203.0.113.9'],
    ['2001:db8::5', '2001:db8::5'],
    ['nonsense', '192.0.2.1'],
    ['192.0.2.9, 192.0.2.8', '192.0.2.1'],
    ['', '192.0.2.1'],
  ])('finds the client behind trusted proxies in "%s"', (forwarded, client) => {
    expect(from('192.0.2.1', { host: 'x', 'x-forwarded-for': forwarded }, ['192.0.2.0/24']).address).toBe(client);
  });

  it('knows a proxy by either way of writing its address', () => {
    expect(from('::ffff:192.0.2.1', spoofed, ['192.0.2.1'])).toMatchObject({ address: '10.1.1.1', host: 'evil.test' });
    expect(from('fd00::1', spoofed, ['fd00::/8']).isTrusted).toBe(true);
  });
});

describe('trustedProxyList', () => {
  it.each(['*', 'proxy.test', '10.0.0.0/33', '10.0.0/8', '::/129', '10.0.0.0/', ''])('refuses "%s"', (proxy) => {
    expect(() => trustedProxyList([proxy])).toThrow(`Cannot trust the proxy "${proxy}"`);
  });
});

describe('networkOf', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['local', 'local'],
  ])('of %s is %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
