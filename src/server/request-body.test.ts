import { describe, expect, it } from 'vitest';
import { readJson } from './request-body.ts';

function slowRequest(first: string): Request {
  const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(first)) });
  return new Request('http://gantry.test/', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body,
    duplex: 'half',
  } as RequestInit);
}

describe('readJson', () => {
  it('does not take what came in time for the whole of a body that never ends', async () => {
    await expect(readJson(slowRequest('{"isDisabled":true}'), 20)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      message: expect.stringContaining('did not arrive within 0.02 s'),
    });
  });

  it('answers nothing for a request without a body', async () => {
    expect(await readJson(new Request('http://gantry.test/', { method: 'POST' }))).toBeUndefined();
  });
});
