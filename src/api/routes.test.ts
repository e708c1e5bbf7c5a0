import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { routesSource } from '../../tools/make-routes.ts';

describe('routes', () => {
  it('are what the operation table says', () => {
    expect(readFileSync(new URL('./routes.ts', import.meta.url), 'utf8')).toBe(routesSource());
  });
});
