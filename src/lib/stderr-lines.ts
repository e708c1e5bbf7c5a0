import { writeSync } from 'node:fs';

/**
 * A writer of whole lines to a file descriptor, standard error by default. A disk that is full or a reader that is gone
 * costs lines and never the process; the next one that goes through is preceded by how many were lost. Written
 * synchronously, so that the last words of a process that dies are there too.
 */
export function stderrLines(fd = 2): (line: string) => void {
  let lost = 0;
  let isMidLine = false;
  const writeAll = (text: string): void => {
    const bytes = Buffer.from(text);
    for (let from = 0; from < bytes.length; ) {
      from += writeSync(fd, bytes, from);
      isMidLine = from < bytes.length;
    }
  };
  return (line) => {
    const news =
      lost === 0 ? '' : `${JSON.stringify({ level: 'warn', message: 'Lines of this log were lost', lost })}\n`;
    try {
      writeAll(`${isMidLine ? '\n' : ''}${news}${line}`);
      lost = 0;
    } catch {
      lost += 1;
    }
  };
}
