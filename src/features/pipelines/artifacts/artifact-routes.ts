import type { Context } from 'hono';
import { GantryError } from '../../../core/errors.ts';
import type { BlobStorage } from '../../../drivers/blobs/blobs.ts';
import type { RawRoute, RequestContext, ResourceName } from '../../feature.ts';
import { type ByteRange, parseByteRange } from '../logs/byte-range.ts';
import type { ArtifactsDeps } from './artifacts-deps.ts';
import { getArtifact, getPipelineOf } from './find-artifact.ts';

const pieceBytes = 2 ** 20;
/** How often a download that goes on asks whether whoever reads it still may. */
const authorizeEveryMs = 5_000;

/** The bytes of an artifact: always a file to be saved, never something that a browser shows. */
export function artifactRoutes(deps: Pick<ArtifactsDeps, 'store' | 'blobs'>): readonly RawRoute[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/projects/:owner/:project/pipelines/:number/artifacts/:artifact/file',
      summary: 'An artifact of a pipeline as a file, a tar compressed with zstd: whole, or a range of its bytes',
      policy: ({ params }) => ({ action: 'artifact:read', resource: projectOf(params) }),
      challenge: 'problem',
      handle: (context, request) => serveArtifact(deps, context, request),
    },
  ];
}

async function serveArtifact(
  { store, blobs }: Pick<ArtifactsDeps, 'store' | 'blobs'>,
  context: Context,
  request: RequestContext,
): Promise<Response> {
  const { owner = '', project: name = '', number = '', artifact = '' } = context.req.param() as Record<string, string>;
  const place = { owner, project: name, number: /^\d{1,15}$/.test(number) ? Number(number) : 0 };
  const { pipeline, project } = await getPipelineOf(store.read, place);
  const { digest, sizeBytes, name: artifactName } = await getArtifact(store.read, pipeline, artifact);
  if (!(await blobs.find(digest)))
    throw new GantryError('ARTIFACT_NOT_FOUND', `Cannot download the artifact "${artifactName}": its bytes are gone`);

  const etag = `"sha256:${digest}"`;
  // Names of artifacts and projects are those of files.
  const fileName = `${project.name}-${pipeline.number}-${artifactName}.tar.zst`.replace(/[^A-Za-z0-9._-]+/g, '_');
  const headers = new Headers({
    'Content-Type': 'application/zstd',
    'Content-Disposition': `attachment; filename="${fileName}"`,
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
    'Cache-Control': 'private, no-cache',
    'Accept-Ranges': 'bytes',
    ETag: etag,
    'X-Accel-Buffering': 'no',
  });
  const known = context.req.header('If-None-Match');
  if (known?.split(',').some((each) => each.trim() === etag || each.trim() === '*'))
    return new Response(null, { status: 304, headers });
  const condition = context.req.header('If-Range');
  const wanted = condition === undefined || condition === etag ? context.req.header('Range') : undefined;
  const asked = parseByteRange(wanted, sizeBytes);
  if (asked === 'unsatisfiable') {
    headers.set('Content-Range', `bytes */${sizeBytes}`);
    return new Response(null, { status: 416, headers });
  }
  const range: ByteRange = asked ?? { from: 0, to: sizeBytes };
  if (asked) headers.set('Content-Range', `bytes ${range.from}-${range.to - 1}/${sizeBytes}`);
  headers.set('Content-Length', String(range.to - range.from));
  const mayGoOn = (): Promise<boolean> => request.may('artifact:read', { on: 'project', owner, name });
  const body = streamOf(pieces(blobs, digest, range, mayGoOn));
  return new Response(body, { status: asked ? 206 : 200, headers });
}

/** Breaks off when whoever reads may no longer: a length was promised, so that it cannot pass for the whole. */
async function* pieces(
  blobs: BlobStorage,
  digest: string,
  range: ByteRange,
  mayGoOn: () => Promise<boolean>,
): AsyncGenerator<Buffer, void> {
  let askedAtMs = performance.now();
  for (let from = range.from; from < range.to; ) {
    if (performance.now() - askedAtMs > authorizeEveryMs) {
      if (!(await mayGoOn()))
        throw new GantryError('ACCESS_DENIED', 'Cannot go on with the download: it is refused now');
      askedAtMs = performance.now();
    }
    const bytes = await blobs.read(digest, from, Math.min(pieceBytes, range.to - from));
    if (!bytes || bytes.length === 0)
      throw new GantryError('ARTIFACT_NOT_FOUND', 'Cannot go on with the download: the artifact was deleted');
    from += bytes.length;
    yield bytes;
  }
}

/** Pulled by whoever reads: a slow reader holds nothing but the piece it is at. */
function streamOf(source: AsyncGenerator<Buffer, void>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await source.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await source.return();
      },
    },
    { highWaterMark: 0 },
  );
}

function projectOf(params: Readonly<Record<string, string>>): ResourceName {
  return { on: 'project', owner: params['owner'] ?? '', name: params['project'] ?? '' };
}
