import { execFile } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { ownIdentity } from '../lib/process-identity.ts';
import { formatSize } from '../lib/size.ts';
import { builderSettings } from './builder.ts';
import type { Config } from './config.ts';
import type { Examination } from './examination.ts';
import { examineNetwork } from './examine-network.ts';
import { probeBuilder } from './open-builder.ts';
import { openRunnerFolder } from './runner-folder.ts';
import { runtimeSettings } from './runner-settings.ts';
import { type ExaminedRuntime, openRuntimes } from './runtime.ts';

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
    ...(await builder(config, environment)),
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
  const examined = await openRuntimes(settings, generation, { clock: systemClock, logger: silentLogger });
  try {
    return examined.flatMap((each) => describeRuntime(each));
  } finally {
    for (const { runtime: opened } of examined) await opened?.close();
  }
}

/** Whether it is offered to pipelines, and what it lacks. One that is not offered beside another is no failure. */
function describeRuntime({ name, isOffered, probe }: ExaminedRuntime): readonly Examination[] {
  const { isUsable, findings, capabilities } = probe;
  const missing = Object.entries(capabilities)
    .filter(([, isThere]) => !isThere)
    .map(([capability]) => capability);
  const lacks = isUsable && missing.length > 0 ? `; without ${missing.join(', ')}` : '';
  const bad = isOffered ? 'failed' : 'warning';
  return [
    {
      subject: 'runtime',
      verdict: isUsable ? 'ok' : bad,
      finding: `${name}: ${isUsable ? 'usable' : isOffered ? 'not usable' : 'not offered'}${lacks}`,
    },
    ...findings.map((finding): Examination => ({ subject: 'runtime', verdict: isUsable ? 'warning' : bad, finding })),
  ];
}

/** One that nobody asked for may be absent: most projects build no images. */
async function builder(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<readonly Examination[]> {
  const settings = builderSettings(config, environment);
  const isNamed = config.builder !== 'auto';
  if (!settings)
    return [
      {
        subject: 'builder',
        verdict: isNamed || config.runtime === 'scripted' ? 'ok' : 'warning',
        finding: isNamed
          ? 'none: GANTRY_BUILDER says so, and steps that build images fail'
          : `none: no Docker Engine listens at ${config.dockerHost}, and steps that build images fail (set GANTRY_BUILDER)`,
      },
    ];
  const { findings, isUsable, platforms } = await probeBuilder(settings, { clock: systemClock, logger: silentLogger });
  return [
    {
      subject: 'builder',
      verdict: isUsable ? 'ok' : isNamed ? 'failed' : 'warning',
      finding: isUsable
        ? `BuildKit of the Docker Engine at ${settings.engine}, for ${platforms.join(', ')}`
        : findings.join('; '),
    },
  ];
}
