import { parseArgs } from 'node:util';
import { GantryError } from '../core/errors.ts';
import { readConfig } from './config.ts';
import { terminalProgress } from './progress.ts';
import { up } from './up.ts';

/** `npm run up [-- --once] [-- --json]`: 0 the pipeline passed, 5 it did not, 1 Gantry could not start. */
const { values: flags } = parseArgs({
  options: { once: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
});
const progress = terminalProgress(process.stderr);

try {
  const { config } = readConfig({ environment: process.env });
  const running = await up({
    config,
    environment: process.env,
    progress,
    output: flags.json ? process.stderr : process.stdout,
  });
  const { url, token, project, pipeline, status, durationsMs } = running;
  const ending = [
    `${status === 'passed' ? '✓' : '✗'} pipeline ${pipeline} of ${project}: ${status}`,
    // What a step needs and this host does not have is no fault of the pipeline.
    ...(status === 'infrastructure'
      ? ['  next  bin/gantry doctor    (it names what this user lacks here for steps)']
      : []),
  ].join('\n');

  if (flags.once) {
    progress.say(ending);
    await progress.during('Stopping', () => running.stop());
    if (flags.json) process.stdout.write(`${JSON.stringify({ url, token, project, pipeline, status, durationsMs })}\n`);
    process.exitCode = status === 'passed' ? 0 : 5;
  } else {
    progress.say(
      [
        '',
        ending,
        '',
        `  Open      ${url}/${project}/pipelines/${pipeline}`,
        ...(running.password === undefined
          ? ['  Sign in   as admin, with the password shown at the first start']
          : ['  Sign in   as admin', `  Password  ${running.password}   (shown this once)`]),
        `  Push      git push ${url}/admin/NAME.git main   (create the project on the page first)`,
        `  Data      ${config.dataFolder}`,
        '  Stop      Ctrl-C',
        '',
      ].join('\n'),
    );
    if (flags.json) process.stdout.write(`${JSON.stringify({ url, token, project, pipeline, status, durationsMs })}\n`);
    let isStopping = false;
    const stop = (): void => {
      if (isStopping) return;
      isStopping = true;
      void progress.during('Stopping', () => running.stop()).then(() => process.exit(0));
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    await running.whenEnded;
    if (!isStopping) {
      progress.say(`The server ended; ${config.dataFolder}/server.log says why.`);
      process.exitCode = 1;
    }
  }
} catch (error) {
  progress.say(error instanceof Error ? error.message : String(error));
  if (error instanceof GantryError) progress.say(`  ${error.hint}`);
  process.exitCode = 1;
}
