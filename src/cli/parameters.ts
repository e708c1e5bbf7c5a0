import { GantryError } from '../core/errors.ts';
import type { Cli } from './cli.ts';

/** `KEY=VALUE`, as often as it was given, as one map. */
export function parametersOf(cli: Cli, given: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const found = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(text);
      if (!found?.[1]) throw new GantryError('USAGE_WRONG', cli.texts.errors.badParameter(text));
      return [found[1], found[2] ?? ''] as const;
    }),
  );
}
