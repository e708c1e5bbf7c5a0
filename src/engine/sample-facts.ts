import type { EventFacts } from './compile-input.ts';
import type { EnvironmentFacts } from './environment-facts.ts';

const samplePush: EventFacts = {
  kind: 'push',
  ref: 'refs/heads/main',
  branch: 'main',
  before: '0123456789abcdef0123456789abcdef01234567',
  commit: '89abcdef0123456789abcdef0123456789abcdef',
  message: 'Example',
  authorName: 'Example',
  authorEmail: 'example@example.com',
  personName: 'example',
  parameters: {},
};

/** A push to the default branch, for a file that is read where nothing happened. */
export const sampleFacts: EnvironmentFacts = {
  event: samplePush,
  project: {
    owner: 'example',
    name: 'example',
    visibility: 'private',
    defaultBranch: 'main',
    link: 'https://gantry.example.com/example/example',
    cloneUrl: 'https://gantry.example.com/example/example.git',
  },
  pipeline: { number: 1, createdAt: new Date(0), link: 'https://gantry.example.com/example/example/pipelines/1' },
  instanceUrl: 'https://gantry.example.com',
};
