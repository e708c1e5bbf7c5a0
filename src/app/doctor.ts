import { execFile } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { ownIdentity } from '../lib/process-identity.ts';
import { formatSize } from '../lib/size.ts';
import type { Config } from './config.ts';
import type { Examination } from './examination.ts';
import { examineNetwork } from './examine-network.ts';
import { openRunnerFolder } from './runner-folder.ts';
import { runtimeSettings } from './runner-settings.ts';
import { openRuntime } from './runtime.ts';

const run = promisify(execFile);

/** Looks at what Gantry needs from its host, and says what is missing. Changes nothing. */
export async function doctor(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<readonly Examination[]> {
  return [
    nodeVersion(),
    await gitVersion(),
    await diskSpace(config.dataFolder),
    ...(await examineNetwork(config)),
    ...(await runtime(config, environment)),
  ];
}

function nodeVersion(): Examination {
  const isGood = Number(process.versions.node.split('.')[0]) >= 24;
  return {
    subject: 'node',
    verdict: isGood ? 'ok' : 'failed',
    finding: `Node ${process.versions.node}${isGood ? '' : ', but 24 is needed'}`,
  };
}

async function gitVersion(): Promise<Examination> {
  try {
    const { stdout } = await run('git', ['version']);
    const version = /(\d+)\.(\d+)/.exec(stdout);
    // core.fsync, which makes a push durable, came with 2.36.
    const isGood = version !== null && (Number(version[1]) > 2 || Number(version[2]) >= 36);
    return {
      subject: 'git',
      verdict: isGood ? 'ok' : 'failed',
      finding: `${stdout.trim()}${isGood ? '' : ', but 2.36 is needed'}`,
    };
  } catch (error) {
    return { subject: 'git', verdict: 'failed', finding: `git cannot be run: ${(error as Error).message}` };
  }
}

async function diskSpace(folder: string): Promise<Examination> {
  const stats = await statfs(folder).catch(() => statfs('.'));
  const freeBytes = stats.bavail * stats.bsize;
  return {
    subject: 'disk',
    verdict: freeBytes > 2 * 2 ** 30 ? 'ok' : 'warning',
    finding: `${formatSize(freeBytes)} free`,
  };
}

async function runtime(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<readonly Examination[]> {
  const settings = runtimeSettings(config, environment, openRunnerFolder(config));
  const generation = { instanceId: 'doctor', ...ownIdentity() };
  const opened = await openRuntime(settings, generation, { clock: systemClock, logger: silentLogger });
  try {
    const { isUsable, findings, capabilities } = await opened.probe();
    const missing = Object.entries(capabilities)
      .filter(([, isThere]) => !isThere)
      .map(([name]) => name);
    const summary: Examination = {
      subject: 'runtime',
      verdict: isUsable ? 'ok' : 'failed',
      finding: `${opened.name}: ${isUsable ? 'usable' : 'not usable'}${missing.length > 0 ? `; without ${missing.join(', ')}` : ''}`,
    };
    return [
      summary,
      ...findings.map(
        (finding): Examination => ({ subject: 'runtime', verdict: isUsable ? 'warning' : 'failed', finding }),
      ),
    ];
  } finally {
    await opened.close();
  }
}
