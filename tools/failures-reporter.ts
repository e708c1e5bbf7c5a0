import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** What failed in a run of tests. */
export interface Failures {
  readonly files: readonly FailedFile[];
  /** Whether something was thrown outside of tests. */
  readonly hasLooseErrors: boolean;
}

export interface FailedFile {
  readonly path: string;
  /** Of the failed tests; none when the file failed outside of them. */
  readonly tests: readonly string[];
}

/** Variable that names the file to which the reporter writes. */
export const reportVariable = 'TEST_FAILURES_REPORT';

/** Writes what failed as JSON, for `run-suite.ts`. */
export default class FailuresReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], looseErrors: readonly SerializedError[]): void {
    const files = modules
      .filter((one) => one.state() === 'failed')
      .map((one) => ({
        path: one.moduleId,
        tests: [...one.children.allTests('failed')].map(({ fullName }) => fullName),
      }));
    const failures: Failures = { files, hasLooseErrors: looseErrors.length > 0 };
    writeFileSync(process.env[reportVariable]!, JSON.stringify(failures));
  }
}
