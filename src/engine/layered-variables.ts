import type { VariableLookup, Variables } from './substitute.ts';

/** Variables in layers: few of them are ever asked for, so they are put together only where somebody wants them all. */
export class LayeredVariables implements VariableLookup {
  readonly #layers: readonly Variables[];
  readonly #facts: readonly Variables[];

  /**
   * @param layers - From low to high: of equal names the last one counts.
   * @param facts - Below all layers; no two of them have a name in common, and an empty one counts as absent.
   */
  constructor(layers: readonly Variables[], facts: readonly Variables[] = []) {
    this.#layers = layers;
    this.#facts = facts;
  }

  get(name: string): string | undefined {
    const layer = this.#layers.findLast((one) => Object.hasOwn(one, name));
    if (layer) return layer[name];
    return this.#facts.find((one) => Object.hasOwn(one, name))?.[name] || undefined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** Adds all of them to `variables`, above what it has. */
  addTo(variables: Record<string, string>): void {
    for (const group of this.#facts)
      for (const name of Object.keys(group)) if (group[name] !== '') variables[name] = group[name]!;
    for (const layer of this.#layers) for (const name of Object.keys(layer)) setVariable(variables, name, layer[name]!);
  }

  merged(): Record<string, string> {
    const variables: Record<string, string> = {};
    this.addTo(variables);
    return variables;
  }
}

/** Sets a variable under whatever name: `__proto__` is one like any other, and to be assigned like none. */
export function setVariable(variables: Record<string, string>, name: string, value: string): void {
  if (name === '__proto__') Object.defineProperty(variables, name, { value, enumerable: true, configurable: true });
  else variables[name] = value;
}
