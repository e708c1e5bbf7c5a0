const words = { en: 'Hello', zh: '你好', de: 'Hallo', fr: 'Bonjour' };

/** Greets somebody in the first language of an Accept-Language header that we know, and in English otherwise. */
export function greeting(name, acceptLanguage = '') {
  const language = acceptLanguage
    .split(',')
    .map((part) => part.trim().slice(0, 2).toLowerCase())
    .find((code) => Object.hasOwn(words, code));
  return `${words[language ?? 'en']}, ${name.trim() || 'world'}!`;
}
