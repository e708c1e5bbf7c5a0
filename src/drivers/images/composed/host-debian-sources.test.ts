import { describe, expect, it } from 'vitest';
import { debianAddresses } from './host-debian-sources.ts';

describe('debianAddresses', () => {
  it('reads both formats of apt sources, and leaves out other systems and what asks for a password', () => {
    const sources = `
deb [signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib
deb-src http://mirror.example/source bookworm main
deb http://other.example/apt cloud-sdk-bookworm main

Types: deb
# written by an installer
URIs: https://second.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: https://second.example/debian-security
Suites: bookworm-security

deb https://user:word@secret.example/debian bookworm main
`;
    expect(debianAddresses(sources, 'bookworm')).toEqual({
      main: ['http://mirror.example/debian', 'https://second.example/debian'],
      security: ['https://second.example/debian-security'],
    });
  });
});
