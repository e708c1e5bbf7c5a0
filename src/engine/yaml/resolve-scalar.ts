import { type BooleanWords, booleanOf, isNull } from './scalar-type.ts';
import type { YamlScalar } from './yaml-node.ts';

/** What a scalar means where no type is demanded of it. Integers keep all their digits. */
export type ScalarValue = null | boolean | bigint | number | string | YamlTime;

/** A date or a moment, as RFC 3339 writes it; its offset stays what it was. */
export class YamlTime {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What the YAML library of a dialect makes of plain scalars (pipelines.md 4). */
export interface ScalarRules {
  readonly booleans: BooleanWords;
  /** Drone 1.x pins a library that knows fewer floats: `1e6` and `1.` are texts there. */
  readonly floats: 'few' | 'all';
  /** Whether `2020-01-01` is a time. */
  readonly hasTimes: boolean;
}

const maxUint64 = 2n ** 64n - 1n;
const minInt64 = -(2n ** 63n);

/** Resolves a scalar by the rules of a dialect (pipelines.md 4): quoted and tagged ones are texts. */
export function resolveScalar(scalar: YamlScalar, rules: ScalarRules): ScalarValue {
  if (isNull(scalar)) return null;
  if (scalar.tag === '!!binary') return Buffer.from(scalar.text, 'base64').toString();
  if (!scalar.isPlain || (scalar.tag !== undefined && !/^!!(bool|int|float)$/.test(scalar.tag))) return scalar.text;
  const boolean = booleanOf(scalar, rules.booleans);
  if (boolean !== undefined) return boolean;
  const { text } = scalar;
  if (!/^[-+.0-9]/.test(text)) return text;
  return (rules.hasTimes ? timeOf(text) : undefined) ?? numberOf(text, rules.floats) ?? text;
}

function numberOf(text: string, floats: ScalarRules['floats']): bigint | number | undefined {
  const digits = text.replaceAll('_', '');
  const integer = integerOf(digits);
  if (integer !== undefined && minInt64 <= integer && integer <= maxUint64) return integer;
  const infinity = /^([-+]?)\.(inf|Inf|INF)$/.exec(text);
  if (infinity) return infinity[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^\.(nan|NaN|NAN)$/.test(text)) return Number.NaN;
  const isFloat =
    floats === 'all'
      ? /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(digits)
      : // A digit after the point and a signed exponent; what starts with the point is looser.
        /^[-+]?[0-9]*\.?[0-9]+([eE][-+][0-9]+)?$/.test(digits) || /^\.\d+([eE][-+]?\d+)?$/.test(digits);
  return isFloat ? Number(digits) : undefined;
}

const timePattern =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d+)?(Z|[-+]\d{2}:\d{2}))|(?: (\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d+)?))?$/;

function timeOf(text: string): YamlTime | undefined {
  const found = timePattern.exec(text);
  if (!found) return undefined;
  const [, year = '', month = '', day = ''] = found;
  const [hour, minute, second] = [4, 5, 6].map((group) => found[group] ?? found[group + 5] ?? '0');
  const two = (digits: string | undefined): string => (digits ?? '0').padStart(2, '0');
  const fraction = (found[7] ?? found[12] ?? '').replace(/\.?0+$/, '');
  const written = `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}`;
  // A thirteenth month is a text, and so is the thirtieth of February.
  const date = new Date(`${written}Z`);
  if (Number.isNaN(date.getTime()) || !date.toISOString().startsWith(written)) return undefined;
  return new YamlTime(`${written}${fraction}${(found[8] ?? 'Z').replace(/^[-+]00:00$/, 'Z')}`);
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
