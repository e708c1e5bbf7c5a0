import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fc } from '../../test/support/properties.ts';
import { bearer, openServerWorld, type ServerWorld } from '../../test/support/server-world.ts';
import type { Operation } from '../api/operation.ts';
import { operations } from '../api/operations.ts';

let world: ServerWorld;
let token: string;

beforeAll(async () => {
  world = await openServerWorld();
  token = await world.token(await world.person('root', { isSiteAdmin: true }));
  await world.project('root', 'web');
});
afterAll(() => world.close());

const all = Object.entries(operations) as [string, Operation][];
const segment = fc.oneof(
  fc.constantFrom('root', 'web', '1', '0', '-1', '1e9', '..', '.', "'", '%00', 'null', '__proto__', 'constructor'),
  fc.string({ maxLength: 80 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

describe('garbage', () => {
  it('is the asker’s mistake on every operation, and never ours', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...all),
        fc.array(segment, { minLength: 4, maxLength: 4 }),
        fc.option(fc.oneof(fc.jsonValue({ maxDepth: 4 }), fc.object()), { nil: undefined }),
        fc.array(fc.tuple(fc.constantFrom('limit', 'after', 'at', 'path', 'status', 'x'), segment), { maxLength: 3 }),
        fc.constantFrom('application/json', 'text/plain', 'application/json; charset=utf-16'),
        async ([id, operation], segments, body, query, type) => {
          let used = 0;
          const path = operation.path.replace(/\{\w+\}/g, () =>
            encodeURIComponent(wellFormed(segments[used++] ?? 'x')),
          );
          const search = new URLSearchParams(query);
          const hasBody = operation.method !== 'get' && body !== undefined;
          const response = await world.request(`${path}?${search}`, {
            method: operation.method.toUpperCase(),
            headers: { ...bearer(token), ...(hasBody ? { 'Content-Type': type } : {}) },
            ...(hasBody ? { body: JSON.stringify(body) ?? 'undefined' } : {}),
          });
          const text = await response.text();
          // 503 is the probe that stands for the other features.
          if (response.status >= 500 && response.status !== 503) throw new Error(`${id}: ${response.status} ${text}`);
          if (response.status >= 400) expect(JSON.parse(text)).toMatchObject({ status: response.status });
          world.clock.advance(1_000);
        },
      ),
      { numRuns: 1_500 },
    );
    // It may have changed what an admin may change, and must not have locked them out.
    expect((await world.request('/api/v1/me', { headers: bearer(token) })).status).toBe(200);
  }, 60_000);

  it('in credentials signs nobody in, and breaks nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('Bearer ', 'Basic ', 'bearer  ', 'Digest ', ''),
        fc.string({ maxLength: 200 }),
        fc.boolean(),
        async (scheme, text, isEncoded) => {
          const value = isEncoded ? Buffer.from(text).toString('base64') : text.replace(/[^\x20-\x7e]/g, '?');
          const authorization = `${scheme}${value}`.trim();
          const { status } = await world.request('/api/v1/me', {
            headers: { Authorization: authorization, Cookie: `gantry=${encodeURIComponent(wellFormed(text))}` },
          });
          expect(status === 401 || status === 429).toBe(true);
          world.clock.advance(2_000);
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** Half a surrogate pair has no encoding. */
function wellFormed(text: string): string {
  return text.toWellFormed();
}
