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

describe('the sentence of a condition', () => {
  const skipped = (values: TraceEntry['values']): TraceEntry => ({
    subject: { kind: 'step', workflow: 'build', step: 'test' },
    rule: 'step.when.other',
    verdict: 'skipped',
    values,
  });

  it.each([
    [
      { key: 'paths', pattern: 'src/**', value: 'docs/a.md (+2)' },
      'Step "test" was skipped: it wants a change of "src/**", and what changed is "docs/a.md (+2)".',
      '步骤“test”已跳过：要求“src/**”有变化，实际变化的是“docs/a.md (+2)”。',
    ],
    [
      { key: 'paths', pattern: 'not docs/**', value: 'docs/a.md' },
      'Step "test" was skipped: it wants a change of anything but "docs/**", and what changed is "docs/a.md".',
      '步骤“test”已跳过：要求“docs/**”以外的文件有变化，实际变化的是“docs/a.md”。',
    ],
    [
      { key: 'paths', pattern: 'a change', value: 'none' },
      'Step "test" was skipped: it wants a change, and no file changed.',
      '步骤“test”已跳过：要求有文件变化，而没有文件变化。',
    ],
    [
      { key: 'cron', pattern: 'nightly', value: '' },
      'Step "test" was skipped: it wants cron to be "nightly", and there is none.',
      '步骤“test”已跳过：要求 cron 为“nightly”，实际没有。',
    ],
    [
      { key: 'instance', pattern: 'a.example', value: 'b.example' },
      'Step "test" was skipped: it wants instance to be "a.example", and it is "b.example".',
      '步骤“test”已跳过：要求 instance 为“a.example”，实际为“b.example”。',
    ],
  ])('of %j says what was wanted and what there was', (values, english, chinese) => {
    expect(traceSentence(skipped(values), 'en')).toBe(english);
    expect(traceSentence(skipped(values), 'zh')).toBe(chinese);
  });
});
