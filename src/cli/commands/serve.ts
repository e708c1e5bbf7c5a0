import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { type DataOptions, dataFlags } from '../data-options.ts';
import { Exit, exitCodes } from '../exit-codes.ts';

interface ServeOptions extends DataOptions {
  readonly port?: string;
  readonly host?: string;
  readonly publicUrl?: string;
}

/** `gantry serve`: its first line on stdout is `{"url": …}`. Ends with SIGTERM or Ctrl-C; a second one ends it at once. */
export function addServe(parent: Command, cli: Cli): void {
  const { texts, out, io } = cli;
  parent
    .command('serve')
    .description(texts.commands.serve)
    .option('--data <folder>', texts.options.data)
    .option('--port <number>', texts.options.port)
    .option('--host <address>', texts.options.host)
    .option('--public-url <url>', texts.options.publicUrl)
    .action(async (options: ServeOptions) => {
      const [{ readConfig }, { serve }] = await Promise.all([
        import('../../app/config.ts'),
        import('../../app/serve.ts'),
      ]);
      const { config } = readConfig({
        environment: io.environment,
        flags: {
          ...dataFlags(options),
          ...(options.port === undefined ? {} : { port: options.port }),
          ...(options.host === undefined ? {} : { host: options.host }),
          ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
        },
      });
      const stop = nextSignal(cli);
      const serving = await serve({ config, environment: io.environment });
      await out.line(JSON.stringify({ url: serving.url }));
      if (io.stderr.isTerminal) await out.note(texts.serverReady(serving.url));
      if (serving.setupLink !== undefined) await out.note(texts.setupLink(serving.setupLink));

      const failure = await Promise.race([stop, serving.whenFailed]);
      const again = nextSignal(cli).then(() => {
        throw new Exit(exitCodes.interrupted);
      });
      await Promise.race([serving.close(), again]);
      if (failure) throw failure;
    });
}

/** Resolves at the next request to end. */
function nextSignal({ io }: Cli): Promise<undefined> {
  return new Promise((resolve) => {
    const stops = (['SIGINT', 'SIGTERM'] as const).map((signal) =>
      io.onSignal(signal, () => {
        for (const stop of stops) stop();
        resolve(undefined);
      }),
    );
  });
}
