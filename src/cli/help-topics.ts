import type { Language } from './cli.ts';
import type { HelpTopics } from './help-topics.en.ts';

/** All topics of `gantry help`, in the language. Loaded only where they are shown. */
export async function helpTopics(language: Language): Promise<HelpTopics> {
  return language === 'zh'
    ? (await import('./help-topics.zh.ts')).helpTopicsZh
    : (await import('./help-topics.en.ts')).helpTopicsEn;
}
