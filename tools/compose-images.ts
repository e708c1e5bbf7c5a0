import { homedir } from 'node:os';
import { join } from 'node:path';
import { createImages, hostEnvironment } from '../src/app/images.ts';

/** Composes the named base images into the cache, so that what comes next need not wait for them. */
const images = createImages({
  cacheFolder:
    process.env['GANTRY_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'gantry'),
  plainHttpRegistries: [],
  hostEnvironment: hostEnvironment(process.env),
});
for (const name of process.argv.slice(2))
  await images.provide(name, { pull: 'default', progress: (line) => void process.stdout.write(`${line}\n`) });
