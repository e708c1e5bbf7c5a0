import { traceSentence } from '../api/messages/trace-sentences.ts';
import type { TraceEntry } from '../core/trace.ts';
import { traceInChinese } from '../engine/lint-sentences.zh.ts';
import type { Cli } from './cli.ts';

/** What was decided here, as a sentence; what is wrong with the file is told in the same language. */
export function sentenceOf(entry: TraceEntry, { language }: Pick<Cli, 'language'>): string {
  return traceSentence(language === 'zh' ? traceInChinese(entry) : entry, language);
}
