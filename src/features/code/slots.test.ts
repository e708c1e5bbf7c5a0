import { describe, expect, it } from 'vitest';
import { Slots } from './slots.ts';

describe('Slots', () => {
  it('lets so many in, keeps so many in line in their order, and refuses the rest', async () => {
    const slots = new Slots('push', { running: 1, waiting: 2 });
    const order: number[] = [];
    const first = await slots.take();
    const others = [1, 2].map(async (n) => {
      const giveBack = await slots.take();
      order.push(n);
      giveBack();
    });
    await expect(slots.take()).rejects.toMatchObject({ code: 'SERVER_BUSY' });
    first();
    await Promise.all(others);
    expect(order).toEqual([1, 2]);
    (await slots.take())();
  });
});
