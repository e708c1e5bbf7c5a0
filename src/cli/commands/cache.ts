import type { Command } from 'commander';
import { GantryError } from '../../core/errors.ts';
import { formatSize } from '../../lib/size.ts';
import type { Cli } from '../cli.ts';
import { ago } from '../instants.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';

/** `gantry cache list` */
export function addCacheList(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('list').description(texts.commands.cacheList), cli), cli).action(
    async (options: JsonOption & ProjectOption) => {
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const page = await client('listCaches', { params });
      if (options.json !== undefined) return out.json(page, options.json);
      if (page.items.length === 0) return out.note(texts.nothingHere.caches);
      const now = new Date();
      await out.table(page.items, [
        { title: texts.columns.key, text: ({ key }) => key },
        {
          title: texts.columns.size,
          text: ({ sizeBytes }) => formatSize(sizeBytes),
          plain: ({ sizeBytes }) => String(sizeBytes),
        },
        { title: texts.columns.branch, text: ({ branch }) => branch ?? '*' },
        { title: texts.columns.hits, text: ({ hits, misses }) => `${hits}/${hits + misses}` },
        { title: texts.columns.by, text: ({ savedBy }) => `#${savedBy}` },
        { title: texts.columns.used, text: ({ usedAt }) => ago(texts, usedAt, now), plain: ({ usedAt }) => usedAt },
      ]);
    },
  );
}

/** `gantry cache delete KEY` or `--all` */
export function addCacheDelete(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addProject(parent.command('delete [key]').description(texts.commands.cacheDelete), cli)
    .option('--all', texts.options.allCaches)
    .option('--yes', texts.options.yes)
    .addHelpText('before', `${texts.examples}\n  gantry cache delete npm-1f0c5a\n  gantry cache delete --all\n`)
    .action(async (key: string | undefined, options: ProjectOption & { all?: true; yes?: true }) => {
      if ((key === undefined) === (options.all === undefined))
        throw new GantryError('USAGE_WRONG', texts.errors.oneCache);
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const { items } = await client('listCaches', { params });
      const chosen = items.filter((cache) => key === undefined || cache.key === key);
      const slug = `${params.owner}/${params.project}`;
      if (key !== undefined && chosen.length === 0)
        throw new GantryError('CACHE_NOT_FOUND', texts.errors.noCache(key, slug), { details: { key } });
      await cli.ask.confirm(texts.askCacheDelete(chosen.length, slug), options.yes);
      for (const { id } of chosen) await client('deleteCache', { params: { ...params, cache: id } });
      await out.note(texts.cachesDeleted(chosen.length, slug));
    });
}
