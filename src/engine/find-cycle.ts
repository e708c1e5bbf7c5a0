/**
 * A circle in a graph of names: each waits for the next, and the last for the first. `undefined` when there is none.
 * Names that are no key wait for nothing. Walks without recursion, so a chain of any length is fine.
 */
export function findCycle(dependencies: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  for (const start of dependencies.keys()) {
    const path: string[] = [];
    const onPath = new Set<string>();
    const open: { readonly name: string; next: number }[] = [];
    const enter = (name: string): void => {
      path.push(name);
      onPath.add(name);
      open.push({ name, next: 0 });
    };
    if (!done.has(start)) enter(start);
    for (let current = open.at(-1); current; current = open.at(-1)) {
      const dependency = dependencies.get(current.name)?.[current.next];
      if (dependency === undefined) {
        open.pop();
        path.pop();
        onPath.delete(current.name);
        done.add(current.name);
        continue;
      }
      current.next += 1;
      if (onPath.has(dependency)) return path.slice(path.indexOf(dependency));
      if (!done.has(dependency) && dependencies.has(dependency)) enter(dependency);
    }
  }
  return undefined;
}
