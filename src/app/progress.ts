import { formatDuration } from '../lib/duration.ts';

/** Tells what goes on, on stderr: redrawn in place on a terminal, a line per change elsewhere. */
export interface Progress {
  /** Runs the work under a title; a line for it stays when it took longer than a second, or failed. */
  during<T>(title: string, work: (note: (detail: string) => void) => Promise<T>): Promise<T>;
  say(line: string): void;
}

const frames = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';

export function terminalProgress(output: NodeJS.WriteStream): Progress {
  const isLive = output.isTTY && process.platform === 'linux';
  const clearLine = isLive ? '\r\u001b[K' : '';
  return {
    say: (line) => void output.write(`${clearLine}${line}\n`),
    async during(title, work) {
      const startedMs = performance.now();
      let detail = '';
      let frame = 0;
      const draw = (): void => {
        frame += 1;
        const text = `${frames[frame % frames.length]} ${title}${detail === '' ? '' : `: ${detail}`}`;
        output.write(`${clearLine}${text.slice(0, (output.columns ?? 80) - 1)}`);
      };
      const timer = isLive ? setInterval(draw, 100) : undefined;
      const note = (next: string): void => {
        detail = next;
        if (!isLive) output.write(`  ${title}: ${next}\n`);
      };
      if (!isLive) output.write(`${title} …\n`);
      const end = (mark: string): void => {
        clearInterval(timer);
        output.write(`${clearLine}${mark} ${title} ${formatDuration(performance.now() - startedMs)}\n`);
      };
      try {
        const result = await work(note);
        end('✓');
        return result;
      } catch (error) {
        end('✗');
        throw error;
      }
    },
  };
}
