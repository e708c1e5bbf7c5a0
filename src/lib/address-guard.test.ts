import { describe, expect, it } from 'vitest';
import { AddressGuard } from './address-guard.ts';

const closed = [
  '0.0.0.0 10.0.0.1 100.64.0.1 100.127.255.254 127.0.0.1 127.1.2.3 169.254.1.1 172.16.0.1 172.31.255.255 192.0.0.8',
  '192.0.2.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255',
  ':: ::1 fe80::1 fe80::1%eth0 fc00::1 fd12:3456::1 ff02::1 2001:db8::1 2001::1 3fff::1 100::1 fec0::1',
  // IPv4 written as IPv6, and ways from IPv6 to IPv4.
  '::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:a9fe:a9fe ::7f00:1 64:ff9b::7f00:1 64:ff9b:1::a00:1 2002:7f00:1:: 2002:a00:1::1',
  'localhost 0x7f.1 127.1 2130706433 1.1.1.1.1 10.0.0.1:80',
].flatMap((line) => line.split(' '));
const metadata = ['169.254.169.254', '100.100.100.200', '::ffff:169.254.169.254', 'fd00:ec2::254', '169.254.170.2'];
const open = ['1.1.1.1', '93.184.215.14', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:1.1.1.1'];

describe('an address guard', () => {
  it.each([...closed, ...metadata, ''])('lets nobody reach "%s"', (address) => {
    expect(new AddressGuard().mayReach(address)).toBe(false);
  });

  it.each(open)('lets everybody reach %s', (address) => {
    expect(new AddressGuard().mayReach(address)).toBe(true);
  });

  it('opens the networks that it is told, in every spelling of their addresses, and no others', () => {
    const guard = new AddressGuard(['10.2.0.0/16', '192.168.7.9', 'fd12::/16']);
    for (const address of ['10.2.3.4', '::ffff:10.2.3.4', '192.168.7.9', 'fd12::1'])
      expect(guard.mayReach(address), address).toBe(true);
    for (const address of ['10.3.0.1', '192.168.7.8', 'fd13::1', '127.0.0.1'])
      expect(guard.mayReach(address), address).toBe(false);
  });

  it.each(metadata)('keeps %s closed even where everything is open', (address) => {
    expect(new AddressGuard(['0.0.0.0/0', '::/0']).mayReach(address)).toBe(false);
  });

  it.each(['10.0.0.0/', '10.0.0.0/33', 'example.org', '10.0.0.0/8/8', '::/129', ''])(
    'refuses "%s" as a network',
    (text) => {
      expect(() => new AddressGuard([text])).toThrow(/neither an address nor a network/);
    },
  );
});
