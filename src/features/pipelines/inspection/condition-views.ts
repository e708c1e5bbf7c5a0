import type { ConditionValueView } from '../../../api/inspection.ts';
import type { Dialect } from '../../../core/plan.ts';
import type { CompileInput } from '../../../engine/compile-input.ts';
import { conditionValues } from '../../../engine/condition-values.ts';
import { axisText } from '../../../engine/conditions.ts';
import { dialectRules } from '../../../engine/dialect-rules.ts';

/** Changed paths that are listed; of more their number is told. */
const pathsShown = 100;

/** What conditions compare with at an event, by their keys; those without a value are left out. */
export function conditionsOf(
  input: Omit<CompileInput, 'files'>,
  dialect: Dialect,
  matrix: Readonly<Record<string, string>>,
): ConditionValueView[] {
  const values = conditionValues(input, dialectRules[dialect]);
  const views = Object.entries(values).flatMap(([key, words]) => {
    const given = words.filter((word) => word !== '');
    return given.length === 0 ? [] : [{ key, values: given }];
  });
  if (Object.keys(matrix).length > 0) views.push({ key: 'matrix', values: [axisText(matrix)] });
  const paths = input.event.changedPaths;
  if (paths)
    views.push({
      key: 'paths',
      values: [
        ...paths.slice(0, pathsShown),
        ...(paths.length > pathsShown ? [`… (+${paths.length - pathsShown})`] : []),
      ],
    });
  return views;
}
