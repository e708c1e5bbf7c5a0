export interface GraphNode {
  readonly id: string;
  readonly needs: readonly string[];
  readonly width: number;
  readonly height: number;
}

export interface Layout<T extends GraphNode> {
  readonly nodes: readonly { readonly node: T; readonly x: number; readonly y: number }[];
  readonly edges: readonly { readonly from: string; readonly to: string; readonly path: string }[];
  readonly width: number;
  readonly height: number;
}

const gapX = 44;
const gapY = 12;
const radius = 8;
/** Height that a line takes which passes a column beside its nodes. */
const passHeight = 10;

/** A place in a column: a node, or where a long edge passes through. */
interface Slot {
  readonly column: number;
  readonly height: number;
  row: number;
  y: number;
  readonly before: Slot[];
  readonly after: Slot[];
}

/**
 * Places nodes from left to right: column = longest path, order by the middle of the neighbours, orthogonal edges that
 * pass beside nodes and never through them. Throws on a cycle and on a need that nothing has.
 */
export function layOut<T extends GraphNode>(nodes: readonly T[]): Layout<T> {
  const columnOf = findColumns(nodes);
  const slots = new Map<string, Slot>();
  const table: Slot[][] = [];
  const place = (column: number, height: number): Slot => {
    const slots = (table[column] ??= []);
    const slot: Slot = { column, height, row: slots.length, y: 0, before: [], after: [] };
    slots.push(slot);
    return slot;
  };
  for (const node of nodes) slots.set(node.id, place(columnOf.get(node.id) ?? 0, node.height));
  const slotOf = (id: string): Slot => slots.get(id) as Slot;

  const routes = nodes.flatMap((node) =>
    node.needs.map((need) => {
      const end = slotOf(node.id);
      const route = [slotOf(need)];
      for (let column = (route[0]?.column ?? 0) + 1; column < end.column; column++)
        route.push(place(column, passHeight));
      route.push(end);
      for (const [i, slot] of route.entries()) {
        const before = route[i - 1];
        if (!before) continue;
        slot.before.push(before);
        before.after.push(slot);
      }
      return { from: need, to: node.id, route };
    }),
  );

  for (let sweep = 0; sweep < 4; sweep++) {
    const forward = sweep % 2 === 0;
    for (const column of forward ? table : table.toReversed()) order(column, forward ? 'before' : 'after');
  }

  const heights = table.map((column) => column.reduce((sum, slot) => sum + slot.height + gapY, -gapY));
  const height = Math.max(0, ...heights);
  for (const [i, column] of table.entries()) {
    let y = (height - (heights[i] ?? 0)) / 2;
    for (const slot of column) {
      slot.y = y;
      y += slot.height + gapY;
    }
  }

  const widths = table.map(() => 0);
  for (const node of nodes) {
    const column = columnOf.get(node.id) ?? 0;
    widths[column] = Math.max(widths[column] ?? 0, node.width);
  }
  const lefts: number[] = [];
  let width = -gapX;
  for (const columnWidth of widths) {
    lefts.push(width + gapX);
    width += columnWidth + gapX;
  }
  const left = (slot: Slot): number => lefts[slot.column] ?? 0;
  const right = (slot: Slot): number => left(slot) + (widths[slot.column] ?? 0);
  return {
    nodes: nodes.map((node) => ({ node, x: left(slotOf(node.id)), y: slotOf(node.id).y })),
    edges: routes.map(({ from, to, route }) => {
      const start = nodes.find((node) => node.id === from);
      return { from, to, path: draw(route, left(slotOf(from)) + (start?.width ?? 0), left, right) };
    }),
    width: Math.max(0, width),
    height,
  };
}

function findColumns(nodes: readonly GraphNode[]): Map<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const column = new Map<string, number>();
  const open = new Set<string>();
  const visit = (id: string): number => {
    const known = column.get(id);
    if (known !== undefined) return known;
    const node = byId.get(id);
    if (!node) throw new Error(`Cannot lay out the graph: nothing is called "${id}"`);
    if (open.has(id)) throw new Error(`Cannot lay out the graph: "${id}" needs itself`);
    open.add(id);
    const own = node.needs.reduce((most, need) => Math.max(most, visit(need) + 1), 0);
    open.delete(id);
    column.set(id, own);
    return own;
  };
  for (const node of nodes) visit(node.id);
  return column;
}

function order(column: Slot[], side: 'before' | 'after'): void {
  const middle = new Map(
    column.map((slot) => [
      slot,
      slot[side].length === 0 ? slot.row : slot[side].reduce((sum, other) => sum + other.row, 0) / slot[side].length,
    ]),
  );
  column.sort((a, b) => (middle.get(a) ?? 0) - (middle.get(b) ?? 0) || a.row - b.row);
  for (const [row, slot] of column.entries()) slot.row = row;
}

/** Turns in the gap before each column, so a line meets no node. */
function draw(
  route: readonly Slot[],
  from: number,
  left: (slot: Slot) => number,
  right: (slot: Slot) => number,
): string {
  const middle = (slot: Slot): number => slot.y + slot.height / 2;
  const [start, ...rest] = route;
  if (!start) return '';
  let height = middle(start);
  let path = `M${from} ${height}`;
  for (const slot of rest) {
    const next = middle(slot);
    const turn = left(slot) - gapX / 2;
    const rise = next - height;
    if (Math.abs(rise) >= 1) {
      const r = Math.min(radius, Math.abs(rise) / 2);
      const dy = Math.sign(rise) * r;
      path += `H${turn - r}q${r} 0 ${r} ${dy}V${next - dy}q0 ${dy} ${r} ${dy}`;
    }
    height = next;
    path += `H${slot === rest.at(-1) ? left(slot) : right(slot)}`;
  }
  return path;
}

/** Everything before and after a node, itself included. */
export function relatives(nodes: readonly GraphNode[], id: string): ReadonlySet<string> {
  const found = new Set([id]);
  const follow = (start: string, next: (id: string) => readonly string[], seen: Set<string>): void => {
    for (const one of next(start)) {
      if (seen.has(one)) continue;
      seen.add(one);
      follow(one, next, seen);
    }
  };
  const needs = new Map(nodes.map((node) => [node.id, node.needs]));
  const before = new Set<string>();
  const after = new Set<string>();
  follow(id, (one) => needs.get(one) ?? [], before);
  follow(id, (one) => nodes.filter((node) => node.needs.includes(one)).map((node) => node.id), after);
  for (const one of [...before, ...after]) found.add(one);
  return found;
}
