import { describe, expect, it } from 'vitest';
import { planOf, stepPlan, workflowPlan } from '../../../test/support/plans.ts';
import type { PullRequestOrigin } from '../../core/pull-request-origin.ts';
import type { PipelineUse } from '../../core/secret-vault.ts';
import { traceRefusedSecrets } from './secret-refusals.ts';

const ofFork: PipelineUse = { event: 'pull_request', branch: 'main', isFork: true, isUntrusted: true };

function refusedOf(pullRequests: PullRequestOrigin, use: PipelineUse): (readonly unknown[])[] {
  const secrets = [{ variable: 'TOKEN', secret: 'token', isRequired: true }];
  const plan = planOf(workflowPlan('build', [stepPlan('deploy', { secrets })]));
  const events = pullRequests === 'none' ? ['push'] : ['push', 'pull_request'];
  const limits = { events, pullRequests, branches: [], images: [], isForPluginsOnly: false };
  const trace = traceRefusedSecrets(plan, { secrets: [{ name: 'token', ...limits }], use });
  return trace.map(({ verdict, values }) => [verdict, values['limit']]);
}

describe('what is kept from work that is not trusted', () => {
  it('may come with an approval, where nothing but the trust keeps it back', () => {
    expect(refusedOf('forks', ofFork)).toEqual([['noted', 'approval']]);
    expect(refusedOf('project', { ...ofFork, isFork: false })).toEqual([['noted', 'approval']]);
  });

  it.each(['none', 'project'] as const)('stays kept, whoever approves, where a secret is for %s', (pullRequests) => {
    expect(refusedOf(pullRequests, ofFork)).toEqual([['failed', 'trust']]);
  });

  it('is what its limits say of work that is trusted', () => {
    expect(refusedOf('none', { ...ofFork, isUntrusted: false })).toEqual([['failed', 'event']]);
    expect(refusedOf('project', { ...ofFork, isUntrusted: false })).toEqual([['failed', 'fork']]);
    expect(refusedOf('forks', { ...ofFork, isUntrusted: false })).toEqual([]);
  });
});
