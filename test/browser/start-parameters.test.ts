import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findBarriers, openPage, sidewaysPx, visit } from './browser.ts';
import { fixturePages } from './fixture-pages.ts';
import { presentMs } from './fixtures/world.ts';
import { looks, pictures } from './looks.ts';

const list = '/shop/storefront/pipelines';

describe('the form of a start by hand', () => {
  const pages = fixturePages();

  it.each(looks)('has a field for each parameter of the branch: $locale $colorScheme $width', async (look) => {
    const { locale, colorScheme, width } = look;
    const { page, context, problems } = await openPage(pages.browser, {
      locale,
      colorScheme,
      viewport: { width, height: 900 },
    });
    await page.clock.setFixedTime(presentMs);
    await visit(page, pages.base + list);
    await page.getByRole('button', { name: locale === 'zh-CN' ? '运行流水线' : 'Run pipeline' }).click();
    await page.locator('.dialog textarea[name=parameters]').waitFor();
    await page.locator('.dialog select[name=ref]').selectOption('feat/multi-currency');
    await page.locator('.dialog input[name=parameter-VERSION]').waitFor();
    const picture = `start-parameters-${locale.slice(0, 2)}-${colorScheme}-${width}.png`;
    await page.screenshot({ caret: 'initial', path: join(pictures, picture) });
    expect(await findBarriers(page)).toEqual([]);
    await expect.poll(() => sidewaysPx(page)).toBe(0);
    expect(problems).toEqual([]);
    await context.close();
  });

  it('sends what was given, and leaves the default of an empty field to the file', async () => {
    const { page, context } = await openPage(pages.browser, { viewport: { width: 1440, height: 900 } });
    await visit(page, pages.base + list);
    await page.getByRole('button', { name: 'Run pipeline' }).click();
    await page.locator('.dialog select[name=ref]').selectOption('feat/multi-currency');
    await page.locator('.dialog input[name=parameter-VERSION]').fill('2.15.0');
    await page.locator('.dialog input[name=parameter-REPLICAS]').fill('');
    await page.locator('.dialog select[name=parameter-REGION]').selectOption('us');
    await page.locator('.dialog input[name=parameter-DRY_RUN]').uncheck();
    const sending = page.waitForRequest(
      (request) => request.method() === 'POST' && request.url().endsWith('/api/v1/projects/shop/storefront/pipelines'),
    );
    await page.locator('.dialog button[type=submit]').click();
    expect((await sending).postDataJSON()).toEqual({
      ref: 'feat/multi-currency',
      parameters: { VERSION: '2.15.0', REGION: 'us', DRY_RUN: 'false' },
    });
    await context.close();
  });
});
