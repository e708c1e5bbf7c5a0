/** First segments that programs speak to; everything else is a page, a file of the page, or a repository. */
const machineSegments = new Set(
  'api v2 charts packages npm pypi maven generic hooks models metrics healthz readyz'.split(' '),
);

/** Whether a page of the web interface may live at this path: never below an address that programs speak to. */
export function isPagePath(path: string): boolean {
  const [, first = '', ...rest] = path.split('/');
  return !machineSegments.has(first.toLowerCase()) && !rest.some((segment) => /\.git$/i.test(segment));
}

/**
 * Whether a path, as the client wrote it, means one thing to everybody. Paths that a proxy, a router and a handler
 * could each read differently are refused before anything else looks at them (reliability-security 5, class 1).
 */
export function isUnambiguousPath(path: string): boolean {
  if (!path.startsWith('/') || path.length > 8_192) return false;
  if (path.includes('//') || path.includes('\\')) return false;
  // An encoded backslash, dot or control character hides structure, and nobody needs it.
  if (/%(?:5c|2e|7f|[01][0-9a-f])/i.test(path)) return false;
  // A percent sign that begins no escape is decoded differently everywhere.
  if (/%(?![0-9a-f]{2})/i.test(path)) return false;
  // The name of a file or branch in a page's address may hold a slash or a percent sign; a name in the API may not.
  if (/%2[f5]/i.test(path) && !isPagePath(path)) return false;
  return !path.split('/').some((segment) => segment === '.' || segment === '..');
}

/** The path of a request target in origin form (`/a?b`) or absolute form (`http://host/a?b`). */
export function pathOfTarget(target: string): string {
  const withoutOrigin = target.replace(/^https?:\/\/[^/?#]*/i, '');
  return withoutOrigin.split(/[?#]/, 1)[0] || '/';
}
