import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Where the converter is, when it was built here. */
export const converterPath = join(import.meta.dirname, '../../dist/convert/convert.wasm');

/** Why tests of the converter are left out; `undefined` when it is there. */
export const whyNoConverter = existsSync(converterPath)
  ? undefined
  : 'the converter is not built: npm run build:convert (takes Go)';
