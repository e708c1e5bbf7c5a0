import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where pictures of the pages go, for people to look at. */
export const pictures = process.env['GANTRY_PICTURES'] ?? join(tmpdir(), 'gantry-pictures');

/** Both languages, both themes, a desk and a phone. */
export const looks = ['zh-CN', 'en-GB'].flatMap((locale) =>
  (['light', 'dark'] as const).flatMap((colorScheme) =>
    [1440, 390].map((width) => ({ locale, colorScheme, width, height: width > 500 ? 900 : 844 })),
  ),
);
