/** Chinese where the locale of a terminal says so; the first of the three that is set counts, as everywhere. */
export function terminalLanguage(environment: Readonly<Record<string, string | undefined>>): 'en' | 'zh' {
  const locale = environment['LC_ALL'] || environment['LC_MESSAGES'] || environment['LANG'] || '';
  return /^zh/i.test(locale) ? 'zh' : 'en';
}
