import type { VariableLookup, Variables } from './substitute.ts';

/** Variables in layers: few of them are ever asked for, so they are put together only where somebody wants them all. */
export class LayeredVariables implements VariableLookup {
  readonly #layers: readonly Variables[];

  /** @param layers - From low to high: of equal names the last one counts. */
  constructor(layers: readonly Variables[]) {
    this.#layers = layers;
  }

  get(name: string): string | undefined {
    for (let i = this.#layers.length - 1; i >= 0; i -= 1) {
      const layer = this.#layers[i]!;
      if (Object.hasOwn(layer, name)) return layer[name];
    }
    return undefined;
  }

  merged(): Record<string, string> {
    const variables: Record<string, string> = {};
    for (const layer of this.#layers) for (const name of Object.keys(layer)) setVariable(variables, name, layer[name]!);
    return variables;
  }
}

/** Sets a variable under whatever name: `__proto__` is one like any other, and to be assigned like none. */
export function setVariable(variables: Record<string, string>, name: string, value: string): void {
  if (name === '__proto__') Object.defineProperty(variables, name, { value, enumerable: true, configurable: true });
  else variables[name] = value;
}
