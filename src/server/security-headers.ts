/**
 * Nothing but what Gantry itself serves may run, be shown or be called; nobody may frame it; text becomes markup only
 * through the two named policies. Styles from the page's own files only.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "require-trusted-types-for 'script'",
  'trusted-types gantry dompurify',
].join('; ');

const always = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};

/**
 * Sets what every answer carries. A route that is stricter with its own content keeps its own policy, and one that is
 * meant for pages of other sites says so.
 */
export function setSecurityHeaders(headers: Headers, publicUrl: string): void {
  for (const [name, value] of Object.entries(always))
    if (name !== 'Cross-Origin-Resource-Policy' || !headers.has(name)) headers.set(name, value);
  if (!headers.has('Content-Security-Policy')) headers.set('Content-Security-Policy', contentSecurityPolicy);
  if (publicUrl.startsWith('https:')) headers.set('Strict-Transport-Security', 'max-age=31536000');
  // Browsers ignore it on an origin that is not trustworthy, and complain of it in the console.
  if (isTrustworthy(publicUrl)) headers.set('Cross-Origin-Opener-Policy', 'same-origin');
}

/** An origin that browsers take for secure: TLS, or this very host (W3C Secure Contexts 3.1). */
function isTrustworthy(publicUrl: string): boolean {
  return publicUrl.startsWith('https:') || /^http:\/\/(localhost|127\.[\d.]+|\[::1\])(:|\/|$)/.test(publicUrl);
}
