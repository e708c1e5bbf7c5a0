/**
 * The cookie of a browser's session. Over https its name has the `__Host-` prefix, so that no neighbouring host can set
 * it; over plain http a browser would refuse both the prefix and `Secure`.
 */
export function sessionCookieName(publicUrl: string): string {
  return isHttps(publicUrl) ? '__Host-gantry' : 'gantry';
}

/** The `Set-Cookie` header that begins a session, or ends it where `secret` is undefined. */
export function sessionCookie(publicUrl: string, secret: string | undefined, maxAgeMs: number): string {
  const age = secret === undefined ? 0 : Math.floor(maxAgeMs / 1_000);
  const secure = isHttps(publicUrl) ? '; Secure' : '';
  return `${sessionCookieName(publicUrl)}=${secret ?? ''}; Path=/; Max-Age=${age}; HttpOnly; SameSite=Lax${secure}`;
}

function isHttps(publicUrl: string): boolean {
  return publicUrl.startsWith('https:');
}
