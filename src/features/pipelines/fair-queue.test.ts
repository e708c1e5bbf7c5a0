import { describe, expect, it } from 'vitest';
import { fc } from '../../../test/support/properties.ts';
import { FairQueue } from './fair-queue.ts';

describe('FairQueue', () => {
  it('takes turns between projects, and within one the oldest first', () => {
    const queue = new FairQueue<string>();
    queue.add('a2', 1, 2);
    queue.add('a1', 1, 1);
    queue.add('a3', 1, 3);
    queue.add('b1', 2, 9);
    expect([1, 2, 3, 4, 5].map(() => queue.take())).toEqual(['a1', 'b1', 'a2', 'a3', undefined]);
  });

  it('leaves what is not wanted in its place', () => {
    const queue = new FairQueue<string>();
    queue.add('a1', 1, 1);
    queue.add('a2', 1, 2);
    expect(queue.take((item) => item !== 'a1')).toBe('a2');
    expect(queue.take()).toBe('a1');
  });

  it('is not put out of order by what is withdrawn or comes late', () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), age: fc.nat(30) }),
      fc.record({ kind: fc.constant('withdraw' as const), item: fc.nat(60) }),
      fc.record({ kind: fc.constant('take' as const) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const queue = new FairQueue<number>();
        let model: { item: number; age: number }[] = [];
        for (const [item, each] of actions.entries()) {
          if (each.kind === 'add') {
            queue.add(item, 1, each.age);
            model = [...model, { item, age: each.age }].toSorted((a, b) => a.age - b.age);
          } else if (each.kind === 'withdraw') {
            queue.remove(each.item);
            model = model.filter((one) => one.item !== each.item);
          } else expect(queue.take()).toBe(model.shift()?.item);
          expect(queue.size).toBe(model.length);
          model.forEach((one, at) => expect(queue.ahead(one.item)).toBe(at));
        }
      }),
    );
  });

  it('says of each item how many are taken before it', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ project: fc.nat(3), age: fc.nat(20) }), { maxLength: 20 }), (rows) => {
        const queue = new FairQueue<number>();
        rows.forEach(({ project, age }, item) => queue.add(item, project, age));
        const foretold = new Map(rows.map((_, item) => [item, queue.ahead(item)]));
        for (let taken = 0; taken < rows.length; taken += 1) expect(foretold.get(queue.take()!)).toBe(taken);
        expect(queue.size).toBe(0);
      }),
    );
  });
});
