/**
 * Whether a browser sent this request on behalf of another site. Browsers name the relation in `Sec-Fetch-Site`
 * (only on trustworthy origins), and the origin in `Origin` on all that could do harm; programs send neither.
 */
export function isCrossSite(header: (name: string) => string | undefined, host: string, publicUrl: string): boolean {
  const site = header('sec-fetch-site');
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const origin = header('origin');
  if (origin === undefined) return false;
  if (origin === originOf(publicUrl)) return false;
  const from = URL.canParse(origin) ? new URL(origin).host : undefined;
  return from === undefined || from !== host.toLowerCase();
}

function originOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).origin : undefined;
}
