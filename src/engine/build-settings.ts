/** A value that is wrong; its message is for the step's log. */
export class BuildFault extends Error {
  override readonly name = 'BuildFault';
}

/** The variables of a step by the names of settings; a text that is empty counts as absent. */
export class BuildSettings {
  readonly variables: Readonly<Record<string, string>>;

  constructor(variables: Readonly<Record<string, string>>) {
    this.variables = variables;
  }

  /** The first that is set. */
  text(...names: readonly string[]): string | undefined {
    return this.variable(...names.map((name) => `PLUGIN_${name}`));
  }

  variable(...names: readonly string[]): string | undefined {
    for (const name of names) {
      const value = Object.hasOwn(this.variables, name) ? this.variables[name]!.trim() : '';
      if (value !== '') return value;
    }
    return undefined;
  }

  list(name: string): readonly string[] {
    return listOf(this.text(name) ?? '');
  }

  isOn(name: string): boolean {
    return /^(?:true|1|t)$/i.test(this.text(name) ?? '');
  }

  /** `NAME=value` in a list, or a map: both forms occur. A name alone has no value. */
  pairs(name: string): readonly (readonly [string, string | undefined])[] {
    const text = this.text(name) ?? '';
    const map = jsonOf(text);
    if (typeof map === 'object' && map !== null && !Array.isArray(map))
      return Object.entries(map).map(([key, value]) => [
        key,
        typeof value === 'string' ? value : JSON.stringify(value),
      ]);
    return listOf(text).map((item) => {
      const at = item.indexOf('=');
      return at < 0 ? [item, undefined] : [item.slice(0, at).trim(), item.slice(at + 1)];
    });
  }
}

/** Items of a JSON list, or of a text with commas or lines. */
export function listOf(text: string): readonly string[] {
  const list = text.startsWith('[') ? jsonOf(text) : undefined;
  const items = Array.isArray(list) ? list.map(String) : text.split(/[,\n]/);
  return items.map((item) => item.trim()).filter((item) => item !== '');
}

/** What a text says as JSON; `undefined` when it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
