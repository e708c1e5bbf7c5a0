import { describe, expect, it } from 'vitest';
import { runtimeReasons } from '../../core/runtime-choice.ts';
import { type TraceEntry, traceRules } from '../../core/trace.ts';
import { traceSentence } from './trace-sentences.ts';

/** Every value that any rule names. */
const values = {
  event: 'tag',
  path: '.drone.yml',
  chosen: '.gantry.yml',
  looked: '.gantry.yml',
  bytes: 300_000,
  limit: 262_144,
  line: 3,
  column: 5,
  message: 'no image',
  limitMs: 1_000,
  ref: 'refs/heads/main',
  marker: '[ci skip]',
  pattern: 'main',
  value: 'dev',
  key: 'action',
  wanted: 'failure',
  actual: 'success',
  workflow: 'build',
  status: 'failed',
  type: 'kubernetes',
  running: 2,
  ahead: 4,
  runner: 'r1',
  token: 1,
  current: 2,
  step: 'test',
  by: 'mei',
  timeoutMs: 60_000,
  silentMs: 31_000,
  leaseMs: 45_000,
  secret: 'db',
  exitCode: 78,
  runtime: 'sandbox',
  reason: 'it is there',
  cron: 'nightly',
  branch: 'main',
  option: 'ci.skip',
  number: 12,
  parameters: 'COLOUR=red',
  what: 'failed',
  again: 'test, deploy',
  kept: 'build',
  pipeline: 41,
  commit: '3f2a9c10',
  webhook: 'deploy',
  ports: '5432',
  from: 'npm-',
  nearest: 'npm-1',
  part: 'input src',
  image: 'base/node:24',
  artifacts: 'dist',
  group: 'deploy',
  action: 'synchronized',
  source: 'mei/storefront',
  target: 'main',
  secrets: false,
  offered: 'sandbox',
  registry: 'registry.example.com',
  waitedMs: 86_400_000,
};

describe('traceSentence', () => {
  it.each(traceRules)('says %s as a whole sentence in both languages', (rule) => {
    const entry: TraceEntry = {
      subject: { kind: 'step', workflow: 'build', step: 'test' },
      rule,
      verdict: 'noted',
      values,
    };
    const english = traceSentence(entry, 'en');
    const chinese = traceSentence(entry, 'zh');
    expect(english).toMatch(/^[A-Z.].*\.$/);
    expect(chinese).toMatch(/[\u4e00-\u9fff].*。$/);
    expect(english + chinese).not.toContain('undefined');
  });

  it.each(runtimeReasons)('has words for the reason "%s" of a runtime', (reason) => {
    const subject = { kind: 'workflow', workflow: 'build' } as const;
    const chosen: TraceEntry = {
      subject,
      rule: 'runtime.chosen',
      verdict: 'noted',
      values: { runtime: 'docker', reason },
    };
    expect(traceSentence(chosen, 'en')).toMatch(/^Workflow "build" runs in the container engine: .{10,}\.$/);
    expect(traceSentence(chosen, 'en')).not.toContain(`: ${reason}.`);
    expect(traceSentence(chosen, 'zh')).toMatch(/在容器引擎中运行：.*[\u4e00-\u9fff].*。$/);
  });

  it('names whom it is about', () => {
    const subject = { kind: 'workflow', workflow: 'deploy' } as const;
    const entry: TraceEntry = {
      subject,
      rule: 'workflow.waits-for',
      verdict: 'waiting',
      values: { workflow: 'build' },
    };
    expect(traceSentence(entry, 'en')).toBe('Workflow "deploy" waits for build.');
    expect(traceSentence(entry, 'zh')).toBe('工作流“deploy”正在等待“build”。');
  });
});
