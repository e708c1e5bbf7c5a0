import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

type Vector = readonly [number, number, number];

const css = readFileSync(new URL('../../ui/theme/tokens.css', import.meta.url), 'utf8');
const states = ['ok', 'bad', 'run', 'wait', 'warn', 'idle'] as const;

/** Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB. */
const blindness: Record<string, readonly [Vector, Vector, Vector] | undefined> = {
  none: undefined,
  deutan: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  protan: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  tritan: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

describe.each(['light', 'dark'])('the %s theme', (theme) => {
  const token = readTokens(theme);
  const colour = (name: string): string => {
    const found = token.get(name);
    if (found === undefined) throw new Error(`Cannot check the ${theme} theme: it has no --${name}`);
    return found;
  };

  it('has text of at least 4.5:1 on every surface', () => {
    for (const text of ['fg', 'fg-1', 'fg-2', 'accent', ...states])
      for (const surface of ['bg', 'bg-1', 'bg-2'])
        expect.soft(contrast(colour(text), colour(surface)), `${text} on ${surface}`).toBeGreaterThanOrEqual(4.5);
    expect.soft(contrast(colour('accent-fg'), colour('accent')), 'button text').toBeGreaterThanOrEqual(4.5);
    for (const text of ['log-fg', 'log-2', ...[1, 2, 3, 4, 5, 6, 7, 8].map((n) => `ansi-${n}`)])
      for (const surface of ['log-bg', 'log-error', 'log-hit', 'log-chosen'])
        expect.soft(contrast(colour(text), colour(surface)), `${text} on ${surface}`).toBeGreaterThanOrEqual(4.5);
  });

  it('has readable state words on their tints, and solids of at least 3:1', () => {
    for (const state of states) {
      expect.soft(contrast(colour(state), colour(`${state}-bg`)), state).toBeGreaterThanOrEqual(4.5);
      expect.soft(contrast(colour(`${state}-solid`), colour('bg')), `${state}-solid`).toBeGreaterThanOrEqual(3);
    }
  });

  it('keeps the meaningful states apart for colour-blind readers', () => {
    const meaningful = states.filter((state) => state !== 'idle');
    for (const kind of Object.keys(blindness))
      for (const [i, a] of meaningful.entries())
        for (const b of meaningful.slice(i + 1))
          expect
            .soft(distance(colour(`${a}-solid`), colour(`${b}-solid`), kind), `${a}/${b} (${kind})`)
            .toBeGreaterThanOrEqual(0.08);
  });
});

function readTokens(theme: string): Map<string, string> {
  const blocks = [...css.matchAll(/([^{}]+)\{([^{}]*)\}/g)].filter(
    ([, selector = '']) => !selector.includes('data-theme') || selector.includes(`"${theme}"`),
  );
  return new Map(
    blocks.flatMap(([, , body = '']) =>
      [...body.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/gi)].map(([, name = '', value = '']) => [name, value] as const),
    ),
  );
}

function linear(hex: string): Vector {
  const channel = (at: number): number => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function contrast(a: string, b: string): number {
  const luminance = (hex: string): number => dot(linear(hex), [0.2126, 0.7152, 0.0722]);
  const low = Math.min(luminance(a), luminance(b));
  const high = Math.max(luminance(a), luminance(b));
  return (high + 0.05) / (low + 0.05);
}

/** Distance in OKLab as a person with this kind of colour vision sees it. */
function distance(a: string, b: string, kind: string): number {
  const oklab = (hex: string): Vector => {
    const plain = linear(hex);
    const matrix = blindness[kind];
    const clamp = (value: number): number => Math.min(1, Math.max(0, value));
    const seen: Vector = matrix
      ? [clamp(dot(matrix[0], plain)), clamp(dot(matrix[1], plain)), clamp(dot(matrix[2], plain))]
      : plain;
    const cone: Vector = [
      Math.cbrt(dot(seen, [0.4122214708, 0.5363325363, 0.0514459929])),
      Math.cbrt(dot(seen, [0.2119034982, 0.6806995451, 0.1073969566])),
      Math.cbrt(dot(seen, [0.0883024619, 0.2817188376, 0.6299787005])),
    ];
    return [
      dot(cone, [0.2104542553, 0.793617785, -0.0040720468]),
      dot(cone, [1.9779984951, -2.428592205, 0.4505937099]),
      dot(cone, [0.0259040371, 0.7827717662, -0.808675766]),
    ];
  };
  const [p, q] = [oklab(a), oklab(b)];
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}
