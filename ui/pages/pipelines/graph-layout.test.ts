import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type GraphNode, layOut, relatives } from './graph-layout.ts';

const node = (id: string, ...needs: string[]): GraphNode => ({ id, needs, width: 186, height: 40 });

describe('layOut', () => {
  it('places a chain from left to right at one height', () => {
    const { nodes } = layOut([node('a'), node('b', 'a'), node('c', 'b')]);
    expect(nodes.map(({ y }) => y)).toEqual([0, 0, 0]);
    expect(nodes.map(({ x }) => x)).toEqual([0, 230, 460]);
  });

  it('refuses a cycle and a need that nothing has', () => {
    expect(() => layOut([node('a', 'b'), node('b', 'a')])).toThrow('needs itself');
    expect(() => layOut([node('a', 'missing')])).toThrow('nothing is called "missing"');
  });

  it('never puts two nodes on one place, nor a line through a node', () => {
    const graphs = fc
      .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 30 })
      .map((needs) =>
        needs.map((some, i) => node(`n${i}`, ...new Set(i === 0 ? [] : some.map((one) => `n${one % i}`)))),
      );
    fc.assert(
      fc.property(graphs, (graph) => {
        const { nodes, edges } = layOut(graph);
        const boxes = nodes.map(({ node: { id, width, height }, x, y }) => ({
          id,
          x,
          y,
          right: x + width,
          bottom: y + height,
        }));
        for (const [i, a] of boxes.entries())
          for (const b of boxes.slice(i + 1))
            expect(a.right <= b.x || b.right <= a.x || a.bottom <= b.y || b.bottom <= a.y).toBe(true);
        for (const edge of edges)
          for (const { fromX, toX, y } of levels(edge.path))
            for (const box of boxes)
              if (box.id !== edge.from && box.id !== edge.to)
                expect(toX <= box.x || fromX >= box.right || y <= box.y || y >= box.bottom).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('lays out 400 nodes in a moment', () => {
    const graph = Array.from({ length: 400 }, (_, i) =>
      node(`n${i}`, ...(i < 20 ? [] : [`n${i - 20}`, `n${(i * 7) % (i - 10)}`])),
    ).map((one) => ({ ...one, needs: [...new Set(one.needs)] }));
    const startMs = performance.now();
    layOut(graph);
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });
});

describe('relatives', () => {
  it('finds what a node waits for and what waits for it, and nothing beside', () => {
    const graph = [node('a'), node('b', 'a'), node('c', 'b'), node('beside', 'a')];
    expect([...relatives(graph, 'b')].sort()).toEqual(['a', 'b', 'c']);
  });
});

/** The level parts of a path of M, H, V and q. */
function levels(path: string): { fromX: number; toX: number; y: number }[] {
  const found: { fromX: number; toX: number; y: number }[] = [];
  let [x, y] = [0, 0];
  for (const [, command, rest = ''] of path.matchAll(/([MHVq])([^MHVq]*)/g)) {
    const values = rest.trim().split(/[ ,]+/).map(Number);
    if (command === 'M') [x = 0, y = 0] = values;
    else if (command === 'V') [y = 0] = values;
    else if (command === 'q') [x, y] = [x + (values[2] ?? 0), y + (values[3] ?? 0)];
    else {
      found.push({ fromX: Math.min(x, values[0] ?? 0), toX: Math.max(x, values[0] ?? 0), y });
      [x = 0] = values;
    }
  }
  return found;
}
