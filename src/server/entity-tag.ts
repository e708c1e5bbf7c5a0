import { createHash } from 'node:crypto';

/** A strong ETag: equal exactly when the answer has the same bytes. */
export function entityTag(body: string): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
}

/** Whether `If-Match` or `If-None-Match` names this tag (RFC 9110, 13.1; weak marks do not matter to us). */
export function namesTag(header: string, tag: string): boolean {
  return header.split(',').some((one) => {
    const named = one.trim().replace(/^W\//, '');
    return named === '*' || named === tag;
  });
}
