import type { SecretReference } from '../core/plan.ts';
import { jsonText } from './encode-setting.ts';

/** What a variable holds: the secret, or JSON in which secrets stand as texts; `undefined` when one is not there. */
export function secretValue(
  { secret, parts }: SecretReference,
  revealed: ReadonlyMap<string, string>,
): string | undefined {
  if (!parts) return revealed.get(secret);
  let text = '';
  for (const part of parts) {
    const value = typeof part === 'string' ? part : revealed.get(part.secret);
    if (value === undefined) return undefined;
    text += typeof part === 'string' ? part : jsonText(value).slice(1, -1);
  }
  return text;
}
