import { describe, expect, it } from 'vitest';
import { lintPipelineFile } from './lint.ts';

describe('namedTargets', () => {
  it.each([
    [
      'Drone 0.8',
      '.drone.yml',
      `pipeline:
  build: {image: busybox, commands: ["true"]}
  dev: {image: busybox, commands: ["true"], when: {event: deployment, environment: deploy_lgdev}}
  prod: {image: busybox, commands: ["true"], when: {event: deployment, environment: [deploy_lgprod, deploy_lgdev]}}
`,
      ['deploy_lgdev', 'deploy_lgprod'],
    ],
    [
      'Drone 1.x',
      '.drone.yml',
      `kind: pipeline
name: a
steps: [{name: a, image: busybox, commands: ["true"], when: {target: [eu-*, staging]}}]
---
kind: pipeline
name: b
trigger: {target: {include: [production], exclude: [legacy]}}
steps: [{name: b, image: busybox, commands: ["true"]}]
`,
      ['staging', 'production'],
    ],
    [
      'Woodpecker',
      '.woodpecker.yml',
      `steps:
  - {name: a, image: busybox, commands: ["true"], when: [{event: push}, {event: deployment, environment: staging}]}
`,
      ['staging'],
    ],
    [
      'a file without any',
      '.gantry.yml',
      'kind: pipeline\nsteps: [{name: a, image: busybox, commands: ["true"]}]\n',
      undefined,
    ],
  ])('finds those of %s, in their order', (_, path, text, targets) => {
    const { isValid, targets: found } = lintPipelineFile(path, text);
    expect({ isValid, found }).toEqual({ isValid: true, found: targets });
  });
});
