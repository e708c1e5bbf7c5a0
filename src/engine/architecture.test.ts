import { describe, expect, it } from 'vitest';
import { architectureName, machineEnvironment } from './architecture.ts';
import { stepEnvironment, substitutionVariables } from './environment.ts';

const facts = {
  event: {
    kind: 'push',
    ref: 'refs/heads/main',
    branch: 'main',
    before: '0a1b2c3d4e5f60718293a4b5c6d7e8f901234567',
    commit: '123456789abcdef0123456789abcdef012345678',
    message: 'Mend the crane',
    authorName: 'Mei Lin',
    authorEmail: 'mei@example.com',
    personName: 'mei',
    parameters: {},
  },
  project: {
    owner: 'shop',
    name: 'storefront',
    visibility: 'private',
    defaultBranch: 'main',
    link: 'https://gantry.example.com/shop/storefront',
    cloneUrl: 'https://gantry.example.com/shop/storefront.git',
  },
  pipeline: { number: 1, createdAt: new Date(0), link: 'https://gantry.example.com/shop/storefront/pipelines/1' },
  instanceUrl: 'https://gantry.example.com',
} as const;
const workflow = {
  name: 'default',
  type: 'docker',
  number: 1,
  dependsOn: [],
  workspace: { base: '/drone/src', path: '' },
  environment: {},
  matrix: {},
};

describe('architectureName', () => {
  it('names architectures as images do, and leaves what it does not know', () => {
    expect(['x64', 'arm64', 'riscv64'].map(architectureName)).toEqual(['amd64', 'arm64', 'riscv64']);
  });
});

describe('DRONE_STAGE_ARCH', () => {
  it('is the architecture of the machine, in substitution and in the environment, whatever the file sets', () => {
    const arm = { ...facts, architecture: 'arm64' };
    expect(substitutionVariables(arm, 'drone1', workflow).get('DRONE_STAGE_ARCH')).toBe('arm64');
    const step = { name: 's', number: 1, environment: { DRONE_STAGE_ARCH: 'mips' }, settings: {}, isPlugin: false };
    expect(stepEnvironment(arm, 'drone1', { workflow, step })['DRONE_STAGE_ARCH']).toBe('arm64');
  });

  it('is amd64 where nobody says, as in a check of a file', () => {
    expect(substitutionVariables(facts, 'drone1', workflow).get('DRONE_STAGE_ARCH')).toBe('amd64');
  });

  it('is told anew by the machine that runs the step', () => {
    expect(machineEnvironment('arm64')).toEqual({ DRONE_STAGE_OS: 'linux', DRONE_STAGE_ARCH: 'arm64' });
  });
});
