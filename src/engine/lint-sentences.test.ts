import { describe, expect, it } from 'vitest';
import { lintPipelineFile } from './lint.ts';
import { lintRules } from './lint-rules.ts';
import { findingInChinese } from './lint-sentences.zh.ts';

const chineseOf = (text: string) => lintPipelineFile('.gantry.yml', text).findings.map(findingInChinese);

describe('findingInChinese', () => {
  it('says every rule in Chinese', () => {
    for (const code of Object.keys(lintRules) as (keyof typeof lintRules)[])
      expect(findingInChinese({ code, message: 'x' }).message, code).toMatch(/[\u4e00-\u9fff]/);
  });

  it('names what it is about, and what was meant', () => {
    const unknown = chineseOf('kind: pipeline\nsteps:\n  - {name: unit, image: x, comands: [a]}\n');
    expect(unknown[0]).toMatchObject({
      message: expect.stringMatching(/^未知的键：.*comands/),
      hint: '是否想写“commands”？',
    });
    const step = chineseOf(
      'kind: pipeline\nsteps:\n  - {name: unit, image: x, depends_on: [nothing], commands: [a]}\n',
    );
    expect(step.map(({ message }) => message)).toEqual([expect.stringMatching(/unit.*nothing|nothing.*unit/)]);
  });

  it('keeps what the reader of YAML says, and code and place', () => {
    const [finding] = lintPipelineFile('.gantry.yml', 'kind: [\n').findings;
    const chinese = findingInChinese(finding!);
    expect(chinese).toMatchObject({ code: finding!.code, line: finding!.line, column: finding!.column });
    expect(chinese.message).toContain(finding!.message);
    expect(chinese.hint).toMatch(/缩进/);
  });
});
