import { type BooleanWords, booleanOf, isNull } from './scalar-type.ts';
import type { YamlScalar } from './yaml-node.ts';

/** What a scalar means where no type is demanded of it. Integers keep all their digits. */
export type ScalarValue = null | boolean | bigint | number | string;

const maxUint64 = 2n ** 64n - 1n;
const minInt64 = -(2n ** 63n);

/**
 * Resolves a scalar by the rules of Drone 1.x (pipelines.md 4): quoted and tagged ones are texts, so are dates, and a
 * float needs a digit after its point and a signed exponent. `words` says what is a boolean.
 */
export function resolveScalar(scalar: YamlScalar, words: BooleanWords): ScalarValue {
  if (isNull(scalar)) return null;
  if (scalar.tag === '!!binary') return Buffer.from(scalar.text, 'base64').toString();
  if (!scalar.isPlain || (scalar.tag !== undefined && !/^!!(bool|int|float)$/.test(scalar.tag))) return scalar.text;
  const boolean = booleanOf(scalar, words);
  if (boolean !== undefined) return boolean;
  return /^[-+.0-9]/.test(scalar.text) ? (numberOf(scalar.text) ?? scalar.text) : scalar.text;
}

function numberOf(text: string): bigint | number | undefined {
  const digits = text.replaceAll('_', '');
  const integer = integerOf(digits);
  if (integer !== undefined && minInt64 <= integer && integer <= maxUint64) return integer;
  const infinity = /^([-+]?)\.(inf|Inf|INF)$/.exec(text);
  if (infinity) return infinity[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^\.(nan|NaN|NAN)$/.test(text)) return Number.NaN;
  // The pattern of the YAML library that Drone 1.x pins: `1e6` and `1.` are texts. What starts with a point is looser.
  const isFloat = /^[-+]?[0-9]*\.?[0-9]+([eE][-+][0-9]+)?$/.test(digits) || /^\.\d+([eE][-+]?\d+)?$/.test(digits);
  return isFloat ? Number(digits) : undefined;
}

function integerOf(digits: string): bigint | undefined {
  // 64 bits have at most 64 digits; reading a text of thousands as a number takes long.
  if (digits.length > 100) return undefined;
  const found = /^([-+]?)(0x[0-9a-f]+|0b[01]+|0o[0-7]+|0[0-7]+|[1-9][0-9]*|0)$/i.exec(digits);
  if (!found) return undefined;
  const [, sign, body = ''] = found;
  const magnitude = BigInt(/^0[0-7]/.test(body) ? `0o${body.slice(1)}` : body.toLowerCase());
  return sign === '-' ? -magnitude : magnitude;
}
