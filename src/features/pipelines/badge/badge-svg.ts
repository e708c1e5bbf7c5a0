import type { PipelineStatus } from '../../../core/pipeline.ts';

/** What a badge says: `none` where no pipeline has run on the branch. */
export type BadgeStatus = PipelineStatus | 'none';

type Language = 'en' | 'zh';

const texts: Readonly<Record<Language, { readonly label: string } & Readonly<Record<BadgeStatus, string>>>> = {
  en: {
    label: 'pipeline',
    passed: 'passed',
    failed: 'failed',
    running: 'running',
    queued: 'queued',
    blocked: 'blocked',
    cancelled: 'cancelled',
    infrastructure: 'infrastructure failure',
    none: 'no pipeline',
  },
  zh: {
    label: '流水线',
    passed: '通过',
    failed: '失败',
    running: '运行中',
    queued: '排队中',
    blocked: '阻塞',
    cancelled: '已取消',
    infrastructure: '基础设施故障',
    none: '尚无流水线',
  },
};

/** Dark enough for white text (WCAG AA, 4.5 : 1). */
const colours: Readonly<Record<BadgeStatus, string>> = {
  passed: '#1a7f37',
  failed: '#c62828',
  infrastructure: '#a04100',
  running: '#0b62b8',
  queued: '#5a6270',
  blocked: '#5a6270',
  cancelled: '#5a6270',
  none: '#5a6270',
};

const heightPx = 20;
const paddingPx = 7;
const fontPx = 11;

/**
 * A badge as SVG: text on two fields, drawn by attributes alone, since no style sheet comes with it. Its title says the
 * whole of it to those who do not see it.
 */
export function badgeSvg(status: BadgeStatus, branch: string, language: Language): string {
  const { label } = texts[language];
  const word = texts[language][status];
  const title = escapeXml(language === 'zh' ? `${branch} 分支的流水线：${word}` : `Pipeline of ${branch}: ${word}`);
  const [labelPx, wordPx] = [widthOf(label), widthOf(word)];
  const [left, whole] = [labelPx + 2 * paddingPx, labelPx + wordPx + 4 * paddingPx];
  const text = (atPx: number, widthPx: number, content: string): string =>
    `<text x="${atPx}" y="14" textLength="${widthPx}" lengthAdjust="spacingAndGlyphs">${escapeXml(content)}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${whole}" height="${heightPx}" role="img" aria-label="${title}">`,
    `<title>${title}</title>`,
    `<clipPath id="round"><rect width="${whole}" height="${heightPx}" rx="4"/></clipPath>`,
    '<g clip-path="url(#round)">',
    `<rect width="${left}" height="${heightPx}" fill="#3a404a"/>`,
    `<rect x="${left}" width="${whole - left}" height="${heightPx}" fill="${colours[status]}"/>`,
    '</g>',
    `<g fill="#fff" font-family="Verdana,'DejaVu Sans','Noto Sans CJK SC','PingFang SC',sans-serif" font-size="${fontPx}">`,
    text(paddingPx, labelPx, label),
    text(left + paddingPx, wordPx, word),
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

/** About as wide as Verdana is; `textLength` makes it so in any other font. */
function widthOf(text: string): number {
  let width = 0;
  for (const letter of text) {
    if (letter > '\u2e80') width += fontPx;
    else if (/[ijl.,:' ]/.test(letter)) width += 3.6;
    else if (/[ftr]/.test(letter)) width += 4.8;
    else width += /[mwMW]/.test(letter) ? 10 : 7;
  }
  return Math.ceil(width);
}

function escapeXml(text: string): string {
  return text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f]/g, '').replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
}
