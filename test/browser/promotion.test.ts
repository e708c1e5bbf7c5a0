import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findBarriers, openPage, sidewaysPx, visit } from './browser.ts';
import { fixturePages } from './fixture-pages.ts';
import { presentMs } from './fixtures/world.ts';
import { looks, pictures } from './looks.ts';

const passed = '/shop/storefront/pipelines/4126';

describe('a promotion', () => {
  const pages = fixturePages();

  it.each(looks)('is asked for in every look: $locale $colorScheme $width', async ({ locale, colorScheme, width }) => {
    const { page, context, problems } = await openPage(pages.browser, {
      locale,
      colorScheme,
      viewport: { width, height: 900 },
    });
    await page.clock.setFixedTime(presentMs);
    await visit(page, pages.base + passed);
    await page.getByRole('button', { name: locale === 'zh-CN' ? '发布…' : 'Promote…' }).click();
    await page.getByRole('button', { name: 'staging', exact: true }).waitFor();
    const look = `${locale.slice(0, 2)}-${colorScheme}-${width}`;
    await page.screenshot({ caret: 'initial', path: join(pictures, `promote-${look}.png`) });
    expect(await findBarriers(page)).toEqual([]);
    await expect.poll(() => sidewaysPx(page)).toBe(0);
    await page.getByRole('button', { name: /^production · / }).click();
    expect(await page.locator('.dialog input[name=target]').inputValue()).toBe('production');
    await page.screenshot({ caret: 'initial', path: join(pictures, `promote-chosen-${look}.png`) });
    expect(await findBarriers(page)).toEqual([]);
    await page.locator('.dialog button[type=submit]').click();
    await page.locator('.pipeline-meta a[href$="/pipelines/4126"]').waitFor();
    await page.screenshot({ caret: 'initial', path: join(pictures, `promoted-${look}.png`) });
    expect(await findBarriers(page)).toEqual([]);
    expect(problems).toEqual([]);
    await context.close();
  });

  it('is not offered of work that the project does not trust', async () => {
    const pipeline = pages.server.world.pipelines.get('shop/storefront')!.find(({ number }) => number === 4126)!;
    pipeline.isUntrusted = true;
    const { page, context } = await openPage(pages.browser, { viewport: { width: 1440, height: 900 } });
    await visit(page, pages.base + passed);
    await page.getByRole('button', { name: 'Rerun all' }).waitFor();
    expect(await page.getByRole('button', { name: 'Promote…' }).count()).toBe(0);
    await context.close();
  });

  it('is sent once for a double click, with its target and parameters, and shows where it went', async () => {
    const { page, context } = await openPage(pages.browser, { viewport: { width: 1440, height: 900 } });
    await visit(page, pages.base + passed);
    await page.getByRole('button', { name: 'Promote…' }).click();
    await page.locator('.dialog input[name=target]').fill('production');
    await page.locator('.dialog input[value=rollback]').check();
    await page.locator('.dialog textarea[name=parameters]').fill('REASON=release day');
    await page.locator('.dialog button[type=submit]').dblclick();
    await page.getByText('rollback to production').waitFor();
    const sent = pages.server.requests.filter(({ line }) => line.endsWith('/4126/promote'));
    expect(sent).toHaveLength(1);
    await context.close();
  });
});
