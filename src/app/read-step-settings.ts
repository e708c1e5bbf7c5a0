import { readFile } from 'node:fs/promises';
import { debianAddresses, readHostSources } from '../drivers/images/composed/host-debian-sources.ts';
import type { StepSettingsInput } from '../engine/step-settings.ts';
import type { OutwardRuntimeSettings } from './runner-settings.ts';

/** What steps and builds are given of the world outside: from the settings, and from what this host has. */
export async function readStepSettingsInput({
  caBundle,
  network,
}: Pick<OutwardRuntimeSettings, 'caBundle' | 'network'>): Promise<StepSettingsInput> {
  return {
    network,
    caBundle: caBundle === undefined ? undefined : await readFile(caBundle, 'utf8'),
    debianSources: debianAddresses(await readHostSources(), 'bookworm'),
  };
}
