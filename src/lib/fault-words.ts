/** What went wrong, as the end of a sentence for people: a full disk by that name, all else as the error says it. */
export function faultWords(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'the disk has no room left';
  return error instanceof Error ? error.message : String(error);
}
