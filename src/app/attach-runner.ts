import type { Config } from './config.ts';
import { openRunnerFolder } from './runner-folder.ts';
import { livingRunners } from './runner-record.ts';
import type { RunnerSettings } from './runner-settings.ts';
import { runnerSettingsOfServer } from './server-record.ts';
import { named } from './start-runner.ts';

/** What there is for a runner to do at a data folder. */
export type Attachment =
  | { readonly kind: 'no-server' }
  | { readonly kind: 'has-runner'; readonly runnerId: string; readonly pid: number }
  | { readonly kind: 'free'; readonly settings: RunnerSettings };

/** Whether the server of a data folder lacks a runner, and the settings that it gives to one. Starts nothing. */
export function attachRunner(config: Pick<Config, 'dataFolder' | 'runFolder'>): Attachment {
  const folder = openRunnerFolder(config);
  const settings = runnerSettingsOfServer(folder);
  if (!settings) return { kind: 'no-server' };
  // One of another build has been asked to leave: it takes nothing new.
  const existing = livingRunners(folder.recordsFolder).find(({ build }) => build === settings.build);
  if (existing) return { kind: 'has-runner', runnerId: existing.runnerId, pid: existing.pid };
  return { kind: 'free', settings: named(settings, folder) };
}
