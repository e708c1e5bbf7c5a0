import type { IncludedPlace } from '../core/included-place.ts';
import { type Finding, placeText } from '../engine/lint-report.ts';
import { findingInChinese } from '../engine/lint-sentences.zh.ts';
import type { Cli } from './cli.ts';
import { printable, textWidth } from './text-width.ts';

/** How much of a long line is shown, and how much of it before the place that is meant. */
const shownColumns = 100;
const shownBefore = 60;

/**
 * A finding with its line: where, what and which rule; the line with a caret below its place; how it reads once `${…}`
 * is replaced, where that differs; and what to write instead.
 */
export function findingLines(
  { language, out, texts }: Cli,
  path: string,
  text: string,
  finding: Finding,
): readonly string[] {
  const told = language === 'zh' ? findingInChinese(finding) : finding;
  const { severity, code, hint, substituted, included } = told;
  // The place stands before the message already.
  const message = told.message.slice(placeText(included).length);
  const { line, column } = included ?? told;
  const word = severity === 'error' ? out.paint('red', texts.lintError) : out.paint('yellow', texts.lintWarning);
  const head = `${included ? printable(included.path) : path}:${line}:${column}: ${word} ${printable(message)}  ${out.paint('dim', `[${code}]`)}`;
  const source = included ? included.text : lineOf(text, line);
  const margin = ' '.repeat(String(line).length);
  const bar = out.paint('dim', '│');
  const note = (label: string, value: string): string =>
    `  ${margin} ${out.paint('dim', '=')} ${out.paint('dim', `${label}:`)} ${value}`;
  const lines = [head];
  if (source !== '') {
    const { shown, caretColumn } = cutAround(source, column);
    lines.push(`  ${out.paint('dim', String(line))} ${bar} ${shown}`);
    lines.push(
      `  ${margin} ${bar} ${' '.repeat(caretColumn)}${out.paint(severity === 'error' ? 'red' : 'yellow', '^')}`,
    );
  }
  if (included) lines.push(note(texts.lintIncluded, printable(chainText(path, included))));
  for (const [index, part] of (substituted ?? '').split('\n').entries())
    if (substituted !== undefined) lines.push(note(index === 0 ? texts.lintReads : '…', plain(part)));
  if (hint !== undefined) lines.push(note(texts.lintHint, printable(hint)));
  return lines;
}

/** `.gantry.yml:6 → ci/a.yml:2` */
function chainText(path: string, { chain }: IncludedPlace): string {
  return chain.map((step) => `${step.path ?? path}:${step.line}`).join(' → ');
}

function lineOf(text: string, line: number): string {
  let from = 0;
  for (let at = 1; at < line && from >= 0; at += 1) {
    const next = text.indexOf('\n', from);
    from = next < 0 ? -1 : next + 1;
  }
  if (from < 0) return '';
  const end = text.indexOf('\n', from);
  return text.slice(from, end < 0 ? undefined : end);
}

/** The part of the line around a place, and how many columns of it stand before the place. */
function cutAround(source: string, column: number): { readonly shown: string; readonly caretColumn: number } {
  const at = column - 1;
  const from = source.length <= shownColumns ? 0 : Math.max(0, at - shownBefore);
  const before = `${from > 0 ? '…' : ''}${plain(source.slice(from, at))}`;
  const rest = plain(source.slice(at, from + shownColumns));
  return {
    shown: `${before}${rest}${from + shownColumns < source.length ? '…' : ''}`,
    caretColumn: textWidth(before),
  };
}

/** Tabs take one column, so that the caret stands where it belongs. */
function plain(text: string): string {
  return printable(text).replaceAll('\t', ' ');
}
