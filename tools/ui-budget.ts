import { gzipSync } from 'node:zlib';
import type { Plugin, Rolldown } from 'vite';

/** Gzipped (level 9) sizes in KB (1,000 bytes) that the built UI may have; the build fails above them. */
const limits = { initialJs: 100, initialCss: 12, route: 60, all: 600 } as const;

/** A vite plugin that prints the sizes of what was built and fails the build where one is above its limit. */
export function uiBudget(): Plugin {
  return {
    name: 'gantry-ui-budget',
    apply: 'build',
    generateBundle(_, bundle) {
      const sizes = measure(bundle);
      const tooLarge = sizes.filter(({ kilobytes, limit }) => kilobytes > limit);
      for (const { what, kilobytes, limit } of sizes)
        this.info(`${what}: ${kilobytes.toFixed(1)} KB gzip of ${limit} KB`);
      if (tooLarge.length > 0)
        this.error(
          `Cannot build the UI: ${tooLarge.map(({ what, kilobytes, limit }) => `${what} has ${kilobytes.toFixed(1)} KB gzip, the limit is ${limit}`).join('; ')}`,
        );
    },
  };
}

function measure(bundle: Rolldown.OutputBundle): { what: string; kilobytes: number; limit: number }[] {
  const files = Object.values(bundle);
  const chunks = new Map(files.filter((file) => file.type === 'chunk').map((chunk) => [chunk.fileName, chunk]));
  const assets = new Map(files.filter((file) => file.type === 'asset').map((asset) => [asset.fileName, asset.source]));

  const withImports = (start: Rolldown.OutputChunk, found = new Set<Rolldown.OutputChunk>()) => {
    found.add(start);
    for (const name of start.imports) {
      const next = chunks.get(name);
      if (next && !found.has(next)) withImports(next, found);
    }
    return found;
  };
  const codeSize = (some: Iterable<Rolldown.OutputChunk>): number =>
    Iterator.from(some).reduce((sum, chunk) => sum + gzipped(chunk.code), 0);

  const entry = [...chunks.values()].find((chunk) => chunk.isEntry);
  if (!entry) throw new Error('Cannot measure the UI: the build has no entry chunk');
  const initial = withImports(entry);
  const styles = [...assets].filter(([name]) => name.endsWith('.css'));
  const routes = [...chunks.values()].filter((chunk) => chunk.isDynamicEntry);
  const heaviest = Math.max(
    0,
    ...routes.map((route) => codeSize([...withImports(route)].filter((chunk) => !initial.has(chunk)))),
  );
  return [
    { what: 'initial JS', kilobytes: codeSize(initial) / 1000, limit: limits.initialJs },
    {
      what: 'CSS',
      kilobytes: styles.reduce((sum, [, source]) => sum + gzipped(source), 0) / 1000,
      limit: limits.initialCss,
    },
    { what: 'heaviest page', kilobytes: heaviest / 1000, limit: limits.route },
    { what: 'all chunks', kilobytes: codeSize(chunks.values()) / 1000, limit: limits.all },
  ];
}

function gzipped(text: string | Uint8Array): number {
  return gzipSync(text, { level: 9 }).length;
}
