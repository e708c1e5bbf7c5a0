import { parseArgs } from 'node:util';
import { GantryError } from '../core/errors.ts';
import { terminalLanguage } from '../lib/terminal-language.ts';
import { readConfig } from './config.ts';
import { terminalProgress } from './progress.ts';
import { up } from './up.ts';
import { upTexts } from './up-texts.ts';

/** `npm run up [-- --once] [-- --json]`: 0 the pipeline passed, 5 it did not, 1 Gantry could not start. */
const { values: flags } = parseArgs({
  options: { once: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
});
const progress = terminalProgress(process.stderr);
const texts = upTexts[terminalLanguage(process.env)];

try {
  const { config } = readConfig({ environment: process.env });
  const running = await up({
    config,
    environment: process.env,
    progress,
    texts,
    output: flags.json ? process.stderr : process.stdout,
  });
  const { url, token, project, pipeline, status, durationsMs } = running;
  const ending = [
    `${status === 'passed' ? '✓' : '✗'} ${texts.pipelineEnded(pipeline, project, status)}`,
    // What a step needs and this host does not have is no fault of the pipeline.
    ...(status === 'infrastructure' ? [`  ${texts.next} bin/gantry doctor    (${texts.whatLacks})`] : []),
  ].join('\n');

  if (flags.once) {
    progress.say(ending);
    await progress.during(texts.stopping, () => running.stop());
    if (flags.json) process.stdout.write(`${JSON.stringify({ url, token, project, pipeline, status, durationsMs })}\n`);
    process.exitCode = status === 'passed' ? 0 : 5;
  } else {
    progress.say(
      [
        '',
        ending,
        '',
        `  ${texts.open} ${url}/${project}/pipelines/${pipeline}`,
        ...(running.password === undefined
          ? [`  ${texts.signIn} ${texts.asAdminAsBefore}`]
          : [`  ${texts.signIn} ${texts.asAdmin}`, `  ${texts.password} ${running.password}   (${texts.shownOnce})`]),
        `  ${texts.push} git push ${url}/admin/NAME.git main   (${texts.pushHow})`,
        `  ${texts.data} ${config.dataFolder}`,
        `  ${texts.stop} Ctrl-C`,
        '',
      ].join('\n'),
    );
    if (flags.json) process.stdout.write(`${JSON.stringify({ url, token, project, pipeline, status, durationsMs })}\n`);
    let isStopping = false;
    const stop = (): void => {
      if (isStopping) return;
      isStopping = true;
      void progress.during(texts.stopping, () => running.stop()).then(() => process.exit(0));
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    await running.whenEnded;
    if (!isStopping) {
      progress.say(texts.serverEnded(`${config.dataFolder}/server.log`));
      process.exitCode = 1;
    }
  }
} catch (error) {
  progress.say(error instanceof Error ? error.message : String(error));
  if (error instanceof GantryError) progress.say(`  ${error.hint}`);
  process.exitCode = 1;
}
