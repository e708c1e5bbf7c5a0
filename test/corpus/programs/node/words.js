/** The words of a text with how often each occurs, the most frequent first. */
export function countWords(text) {
  const times = new Map();
  for (const [word] of text.toLowerCase().matchAll(/\S+/g)) times.set(word, (times.get(word) ?? 0) + 1);
  return [...times].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
}
