import type { IncludedPlace } from '../core/included-place.ts';
import type { Dialect } from '../core/plan.ts';
import { lintHints } from './lint-hints.ts';
import { type LintCode, type LintRule, lintRules, type Severity } from './lint-rules.ts';
import type { Position } from './source-position.ts';

/** One thing to mend or to know about a pipeline file, at its place. */
export interface Finding {
  readonly severity: Severity;
  readonly code: LintCode;
  /** A sentence without its end point. */
  readonly message: string;
  readonly line: number;
  readonly column: number;
  /** What to write instead, without its end point. */
  readonly hint?: string;
  /** Its place where that is in an included file: `line` and `column` are those of the `include` then. */
  readonly included?: IncludedPlace;
  /** The line as it reads once `${…}` is replaced, where that differs; it may have become several lines. */
  readonly substituted?: string;
}

/** What a message begins with that is about a place in an included file. */
export function placeText(included: IncludedPlace | undefined): string {
  return included ? `${included.path}:${included.line}: ` : '';
}

/** How many findings one file may have: a hostile one has thousands, and nobody reads past a page. */
export const maxFindings = 100;

/** Gathers what is found while a file is read, so that one run shows all of it. */
export class LintReport {
  readonly #dialect: Dialect;
  readonly #findings: Finding[] = [];
  readonly #seen = new Set<string>();
  #leftOut = 0;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** Notes a finding; the same one twice (raw text and substituted text are both read) counts once. */
  add(code: LintCode, at: Position, text: string, hint = lintHints[code]): void {
    const severity = this.#severityOf(lintRules[code]);
    const { within } = at;
    const message = `${placeText(within)}${text}`;
    const key = `${code}:${at.line}:${at.column}:${within?.column ?? 0}:${message}`;
    if (this.#seen.has(key)) return;
    // Errors are never left out for warnings: the first error decides what becomes of the file.
    if (this.#findings.length >= maxFindings && (severity === 'warning' || this.hasError)) {
      this.#leftOut += 1;
      return;
    }
    this.#seen.add(key);
    this.#findings.push({
      severity,
      code,
      message,
      line: at.line,
      column: at.column,
      ...(hint !== undefined && { hint }),
      ...(within && { included: within }),
    });
  }

  #severityOf({ severity, errorIn = ['gantry'] }: LintRule): Severity {
    if (severity !== 'by-dialect') return severity;
    return errorIn.includes(this.#dialect) ? 'error' : 'warning';
  }

  /** Whether what is found now is not shown any more: then nobody need look for a hint. */
  get isFull(): boolean {
    return this.#findings.length >= maxFindings;
  }

  get hasError(): boolean {
    return this.#findings.some((finding) => finding.severity === 'error');
  }

  /** In the order of the file; the last one says how many are not shown. */
  get findings(): readonly Finding[] {
    const sorted = this.#findings.toSorted((a, b) => a.line - b.line || a.column - b.column || compareIncluded(a, b));
    const last = sorted.at(-1);
    if (this.#leftOut === 0 || !last) return sorted;
    const message = `${this.#leftOut} more findings are not shown`;
    return [
      ...sorted,
      { severity: 'warning', code: 'file.findings-cut', message, line: last.line, column: last.column },
    ];
  }
}

/** By each `include` on the way, then by the place in the file. */
function compareIncluded(a: Finding, b: Finding): number {
  const [left, right] = [a, b].map(({ included }) =>
    included ? [...included.chain.map(({ line }) => line), included.line, included.column] : [],
  ) as [number[], number[]];
  for (const [index, line] of left.entries()) {
    const difference = line - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
