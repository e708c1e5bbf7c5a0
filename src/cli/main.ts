const words = process.argv.slice(2);

// Ends at once: what a command leaves open (a runner that goes on, a kept connection) must not hold the prompt.
process.exit(isStartedRunner(words) ? await startedRunner() : await commandLine(words));

/** `gantry runner --settings -`, as a server starts it. */
function isStartedRunner([command, flag, value]: readonly string[]): boolean {
  return command === 'runner' && flag === '--settings' && value === '-';
}

/** By itself, since it lives long: nothing of the command line is kept in its memory. */
async function startedRunner(): Promise<number> {
  const [{ runRunner }, { text }] = await Promise.all([
    import('../app/run-runner.ts'),
    import('node:stream/consumers'),
  ]);
  await runRunner(JSON.parse(await text(process.stdin)) as Parameters<typeof runRunner>[0]);
  return 0;
}

async function commandLine(words: readonly string[]): Promise<number> {
  const [{ runCli }, { processIo }] = await Promise.all([import('./run-cli.ts'), import('./process-io.ts')]);
  return runCli(words, processIo(process.env));
}
