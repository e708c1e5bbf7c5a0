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
  /** The line as it reads once `${…}` is replaced, where that differs; it may have become several lines. */
  readonly substituted?: string;
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
    const message = at.within === undefined ? text : `${at.within}: ${text}`;
    const key = `${code}:${at.line}:${at.column}:${message}`;
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
    const sorted = this.#findings.toSorted((a, b) => a.line - b.line || a.column - b.column);
    const last = sorted.at(-1);
    if (this.#leftOut === 0 || !last) return sorted;
    const message = `${this.#leftOut} more findings are not shown`;
    return [
      ...sorted,
      { severity: 'warning', code: 'file.findings-cut', message, line: last.line, column: last.column },
    ];
  }
}
