import { describe, expect, it } from 'vitest';
import { findHostFolderFault } from './host-folder.ts';

describe('findHostFolderFault', () => {
  it.each(['/srv/data', '/home/ci/cache', '/opt/x/', '/var/cache/apt', '/runner'])('lets %s be mounted', (path) => {
    expect(findHostFolderFault(path)).toBeUndefined();
  });

  it.each([
    '/',
    '//',
    '/var',
    '/var/',
    '/run',
    '/var/run',
    '/var/run/docker.sock',
    '/run/podman',
    '/run/user/1000/podman/podman.sock',
    '/var/lib',
    '/var/lib/docker/volumes',
    '/srv/engine.sock',
    '/proc/1/root',
    '/sys',
    '/srv/../var/run',
    'srv',
    './srv',
    '~/x',
    '/srv/\n',
  ])('refuses %s, where an engine may be reached or what it holds', (path) => {
    expect(findHostFolderFault(path)).toBeTypeOf('string');
  });
});
