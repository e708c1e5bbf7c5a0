import { describe, expect, it } from 'vitest';
import { noteInChinese } from './import-sentences.zh.ts';

const note = { verdict: 'lost', path: '.drone.yml', line: 3 } as const;

describe('noteInChinese', () => {
  it('tells what a condition and a step are that were not carried', () => {
    const texts = [
      'its condition patterns as events: name the events; until then it never runs',
      'its condition "evaluate: a == 1"; until then it never runs',
      'what it does (the variable "A" must be a text, and is a list); until then it never runs',
    ];
    expect(noteInChinese({ ...note, subject: 'step "a "b""', texts })).toEqual({
      ...note,
      subject: '步骤“a "b"”',
      texts: [
        '其条件未能转换，补写之前不会运行：事件使用了模式：请写明事件',
        '其条件未能转换，补写之前不会运行：“evaluate: a == 1”',
        '其内容未能转换，补写之前不会运行（the variable "A" must be a text, and is a list）',
      ],
    });
  });

  it('tells a finding by its rule, and leaves alone what it does not know', () => {
    const finding = noteInChinese({ ...note, subject: 'key.unknown', texts: ['a step has no key "imgae"'] });
    expect(finding).toMatchObject({ subject: 'key.unknown', texts: ['未知的键：imgae'] });
    expect(noteInChinese({ ...note, subject: 'another', texts: ['something else'] })).toMatchObject({
      subject: 'another',
      texts: ['something else'],
    });
  });
});
