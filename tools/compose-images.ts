import { readConfig } from '../src/app/config.ts';
import { createImages, imageSettings } from '../src/app/images.ts';
import { readOutwardSettings } from '../src/app/outward-settings.ts';
import { secretsOf } from '../src/core/network-settings.ts';
import { MaskSet } from '../src/engine/masking/masker.ts';

/** Composes the named base images into the cache, so that what comes next need not wait for them. */
const { config } = readConfig({ environment: process.env });
const outward = readOutwardSettings(config);
const images = createImages(imageSettings(config, process.env, outward));
const masks = new MaskSet(secretsOf(outward.network));
try {
  for (const name of process.argv.slice(2))
    await images.provide(name, {
      pull: 'default',
      progress: (line) => void process.stdout.write(`${masks.maskText(line)}\n`),
    });
} catch (error) {
  process.stderr.write(`${masks.maskText(error instanceof Error ? error.message : String(error))}\n`);
  process.exitCode = 1;
}
