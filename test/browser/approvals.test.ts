import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findBarriers, openPage, sidewaysPx, visit } from './browser.ts';
import { fixturePages } from './fixture-pages.ts';
import { presentMs, waitingApproval } from './fixtures/world.ts';
import { looks, pictures } from './looks.ts';

const waiting = '/shop/payments/pipelines/10';

describe('the approval of a pipeline', () => {
  const pages = fixturePages();

  it.each(looks)('declines in every look: $locale $colorScheme $width', async ({ locale, colorScheme, width }) => {
    const { page, context, problems } = await openPage(pages.browser, {
      locale,
      colorScheme,
      viewport: { width, height: 900 },
    });
    await page.clock.setFixedTime(presentMs);
    await visit(page, pages.base + waiting);
    await page.getByRole('button', { name: locale === 'zh-CN' ? '拒绝' : 'Decline' }).click();
    await page.locator('.dialog button[type=submit]').waitFor();
    const look = `${locale.slice(0, 2)}-${colorScheme}-${width}`;
    await page.screenshot({ caret: 'initial', path: join(pictures, `decline-${look}.png`) });
    expect(await findBarriers(page)).toEqual([]);
    await page.locator('.dialog button[type=submit]').click();
    await page.locator('.pipeline-meta .tag', { hasText: locale === 'zh-CN' ? '已被拒绝' : 'declined' }).waitFor();
    await page.screenshot({ caret: 'initial', path: join(pictures, `declined-${look}.png`) });
    expect(await findBarriers(page)).toEqual([]);
    await expect.poll(() => sidewaysPx(page)).toBe(0);
    // What was declined does not run by another button.
    expect(await page.locator('.page-head button').count()).toBe(0);
    expect(problems).toEqual([]);
    await context.close();
  });

  it('is about the commit and the configuration that were shown, with secrets where that was chosen', async () => {
    const { page, context } = await openPage(pages.browser, { viewport: { width: 1440, height: 900 } });
    await visit(page, pages.base + waiting);
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.locator('.dialog input[name=withSecrets]').check();
    await page.locator('.dialog button[type=submit]').dblclick();
    await page.locator('.dialog').waitFor({ state: 'detached' });
    const { head, configuration } = waitingApproval;
    expect(pages.server.decisions).toEqual([{ decision: 'approve', withSecrets: true, head, configuration }]);
    await context.close();
  });
});
