import { describe, expect, it } from 'vitest';
import { errorCatalogue } from '../../core/errors.ts';
import { errorsEn } from './errors.en.ts';
import { errorsZh } from './errors.zh.ts';

describe('texts of errors', () => {
  it('exist in both languages for every code, each in its own script', () => {
    for (const code of Object.keys(errorCatalogue) as (keyof typeof errorCatalogue)[]) {
      for (const part of ['title', 'hint'] as const) {
        expect(errorsZh[code][part], `${code} ${part}`).toMatch(/\p{Script=Han}/u);
        expect(errorsEn[code][part], `${code} ${part}`).toMatch(/^[^\p{Script=Han}]+$/u);
      }
    }
  });

  it('say the whole case in Chinese where the details carry it, and nothing where they do not', () => {
    expect(errorsZh.PROJECT_NOT_FOUND.detail?.({ project: 'shop/web' })).toBe('找不到项目“shop/web”，或者您无权查看。');
    expect(errorsZh.PROJECT_NOT_FOUND.detail?.({})).toBeUndefined();
    expect(errorsZh.RATE_LIMITED.detail?.({ retryAfterMs: 1_200 })).toBe('请求过于频繁：请在 2 秒后再试。');
  });
});
