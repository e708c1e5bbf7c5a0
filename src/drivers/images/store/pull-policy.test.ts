import { describe, expect, it } from 'vitest';
import { effectivePolicy } from './pull-policy.ts';

describe('effectivePolicy', () => {
  it.each([
    ['app:1.2.3', 'if-not-present'],
    ['app:v2', 'if-not-present'],
    [`app@sha256:${'a'.repeat(64)}`, 'if-not-present'],
    ['app', 'always'],
    ['app:latest', 'always'],
    ['app:main', 'always'],
    ['registry.example:5000/app', 'always'],
  ])('takes the default of %s as %s', (reference, policy) => {
    expect(effectivePolicy(reference, 'default')).toBe(policy);
  });

  it('keeps what the step says', () => {
    expect(effectivePolicy('app:latest', 'never')).toBe('never');
  });
});
