import { type ErrorCode, errorCatalogue } from '../../core/errors.ts';
import type { ErrorTexts } from './errors.ts';

/** `PIPELINE_NOT_FOUND` → `Pipeline not found`: the codes are English already. */
function titleOf(code: string): string {
  const words = code.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const errorsEn = Object.fromEntries(
  Object.entries(errorCatalogue).map(([code, { hint }]) => [code, { title: titleOf(code), hint }]),
) as Record<ErrorCode, ErrorTexts[ErrorCode]>;
