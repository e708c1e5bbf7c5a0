import { describe, expect, it } from 'vitest';
import { noNetworkSettings } from '../core/network-settings.ts';
import { readDockerfile } from '../lib/dockerfile.ts';
import { type BuildNetworkInput, buildNetwork, looksForFiles, networkShare } from './build-network.ts';

const settings: BuildNetworkInput = {
  network: {
    ...noNetworkSettings,
    mirrors: {
      npm: 'https://robot:canary@mirror.example/npm/',
      pypi: 'https://mirror.example/pypi/simple',
      go: 'https://mirror.example/go',
      maven: 'https://mirror.example/maven',
      debian: 'http://mirror.example/debian',
    },
  },
  caBundle: 'CERTIFICATES\n',
  hasOwnCaBundle: true,
};

function shareOf(dockerfile: string, change: Partial<BuildNetworkInput> = {}, args: Record<string, string> = {}) {
  const network = buildNetwork({ ...settings, ...change });
  return networkShare(network, readDockerfile(dockerfile), { args, dockerfile: 'Dockerfile' });
}

describe('the network of builds', () => {
  it('gives mirrors as arguments to a Dockerfile that declares them in a stage, and to no other', () => {
    expect(shareOf('ARG GOPROXY\nFROM a\nARG PIP_INDEX_URL=https://pypi.example A=b\nRUN ls\n').args).toEqual({
      PIP_INDEX_URL: 'https://mirror.example/pypi/simple',
    });
    expect(shareOf('FROM a\nARG PIP_INDEX_URL\n', {}, { PIP_INDEX_URL: 'own' }).args).toEqual({});
  });

  it('never gives a password as an argument, which stays readable in the image', () => {
    const share = shareOf(
      'FROM a\nARG npm_config_registry\nARG GANTRY_NPM_AUTH\nARG npm_config_globalconfig\nRUN npm ci\n',
    );
    expect(JSON.stringify(share.args)).not.toContain('canary');
    expect(share.args).toEqual({ npm_config_registry: 'https://mirror.example/npm/' });
  });

  it('gives secrets to a Dockerfile that mounts them, and to no other', () => {
    expect(shareOf('FROM a\nRUN npm ci\n').secrets).toEqual({});
    const { secrets } = shareOf(
      'FROM a\nRUN --mount=type=secret,id=gantry-env --mount=type=secret,id=gantry-npmrc --mount=type=secret,id=gantry-ca-bundle . /run/secrets/gantry-env; npm ci\n',
    );
    expect(secrets['gantry-ca-bundle']).toBe('CERTIFICATES\n');
    expect(secrets['gantry-env']).toContain("export NODE_EXTRA_CA_CERTS='/run/secrets/gantry-ca-bundle'\n");
    expect(secrets['gantry-env']).toContain("export npm_config_globalconfig='/run/secrets/gantry-npmrc'\n");
    expect(secrets['gantry-env']).toContain("export GOPROXY='https://mirror.example/go'\n");
    expect(secrets['gantry-npmrc']).toContain('GANTRY_NPM_AUTH');
  });

  it('has the servers of apt for images that look for them', () => {
    const { files } = buildNetwork(settings);
    expect(files['/.gantry/apt/debian.list']).toBe('http://mirror.example/debian\n');
    expect(files['/etc/apt/apt.conf.d/95gantry']).toContain(Object.keys(files).find((path) => path.endsWith('.pem')));
    expect(
      ['base/debian:12', 'base/node:24', 'base/busybox', 'base/busybox:1', 'debian:12'].map(looksForFiles),
    ).toEqual([true, true, false, false, false]);
  });

  it('tells which mirrors do not reach RUN where their tools are used, and how they would', () => {
    expect(shareOf('FROM debian:12\n\nRUN apt-get update && pip install x\nRUN mvn verify\n').remarks).toEqual([
      `Dockerfile:3: the installation's mirror for pypi does not reach RUN: declare "ARG PIP_INDEX_URL", or mount "id=gantry-env"`,
      `Dockerfile:4: the installation's mirror for maven does not reach RUN: mount "id=gantry-maven-settings"`,
      `Dockerfile:3: the installation's mirror for debian does not reach RUN: write it into the base image`,
      `Dockerfile:3: the installation's CA bundle does not reach RUN: mount "id=gantry-ca-bundle", or have it in the base image`,
    ]);
  });

  it.each([
    ['uses none of the tools', 'FROM a\nRUN make\n'],
    [
      'declares and mounts them',
      'FROM a\nARG PIP_INDEX_URL\nRUN --mount=type=secret,id=gantry-ca-bundle pip install x\n',
    ],
    ['uses apt on an image that finds its servers', 'FROM base/debian AS b\nRUN apt-get update\n'],
    ['runs nothing', 'FROM npm\n'],
  ])('tells nothing to a Dockerfile that %s', (_what, dockerfile) => {
    expect(shareOf(dockerfile).remarks).toEqual([]);
  });

  it('tells nothing where the installation has nothing of its own', () => {
    const share = shareOf('FROM a\nRUN npm ci && curl x\n', { network: noNetworkSettings, hasOwnCaBundle: false });
    expect(share).toEqual({ args: {}, secrets: {}, remarks: [] });
  });
});
