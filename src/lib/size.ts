const unitBytes = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40, KB: 1e3, MB: 1e6, GB: 1e9 } as const;

/** Reads `512MiB`, `1GiB`, `4096` (bytes); anything else is `undefined`. */
export function parseSizeBytes(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB|KB|MB|GB)?$/.exec(text.trim());
  if (!found) return undefined;
  return Math.round(Number(found[1]) * unitBytes[(found[2] ?? 'B') as keyof typeof unitBytes]);
}

/** `812 B`, `4.2 KiB`, `283 MiB`. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
