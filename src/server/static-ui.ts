import { readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';

const contentTypes: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};

/** What is served for a path of the web interface: a file of the build, or the page that draws every address. */
export type StaticUi = (path: string, headers: Headers) => Promise<Response | undefined>;

/**
 * Serves the built web interface from `folder`. Files below `assets/` carry a hash in their name and never change;
 * everything else is asked for again. Where the build left `.br` or `.gz` beside a file, these are sent.
 * `undefined` when there is nothing to serve: the interface was not built, or a file is not there.
 */
export function createStaticUi(folder: string): StaticUi {
  return async (path, headers) => {
    const isAsset = path.startsWith('/assets/');
    const acceptEncoding = headers.get('accept-encoding') ?? '';
    const file = isPlainFile(path) ? await find(join(folder, path), acceptEncoding) : undefined;
    const found = file ?? (isAsset ? undefined : await find(join(folder, 'index.html'), acceptEncoding));
    if (!found) return undefined;
    const answerHeaders = {
      'Content-Type': found.contentType,
      'Cache-Control': file && isAsset ? 'public, max-age=31536000, immutable' : 'no-cache',
      ETag: found.tag,
      Vary: 'Accept-Encoding',
      ...(found.encoding ? { 'Content-Encoding': found.encoding } : {}),
    };
    if (headers.get('if-none-match') === found.tag) return new Response(null, { status: 304, headers: answerHeaders });
    // Read whole: the files of the interface are small, and nothing stays open when the client goes away.
    return new Response(await readFile(found.path), { headers: answerHeaders });
  };
}

/** A name that a build can have: what does not look like one is the address of a page. */
function isPlainFile(path: string): boolean {
  return /^(\/[\w-][\w.-]*)+\.\w+$/.test(path) && !path.includes('..');
}

interface FoundFile {
  readonly path: string;
  readonly contentType: string;
  readonly encoding: string | undefined;
  readonly tag: string;
}

async function find(path: string, acceptEncoding: string): Promise<FoundFile | undefined> {
  for (const [suffix, encoding] of [
    ['.br', 'br'],
    ['.gz', 'gzip'],
    ['', undefined],
  ] as const) {
    if (
      encoding !== undefined &&
      !new RegExp(`\\b${encoding}\\b(?!\\s*;\\s*q=0(?:\\.0*)?\\s*(?:,|$))`).test(acceptEncoding)
    )
      continue;
    const found = await stat(path + suffix).catch(() => undefined);
    if (!found?.isFile()) continue;
    return {
      path: path + suffix,
      contentType: contentTypes[extname(path)] ?? 'application/octet-stream',
      encoding,
      tag: `"${found.size.toString(36)}-${Math.round(found.mtimeMs).toString(36)}${encoding ?? ''}"`,
    };
  }
  return undefined;
}
