import { spawn } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import type { CliIo, OutputStream } from './cli-io.ts';

/** The world as this process sees it. */
export function processIo(environment: CliIo['environment']): CliIo {
  return {
    environment,
    workingFolder: process.cwd(),
    stdout: outputStream(process.stdout),
    stderr: outputStream(process.stderr),
    stdin: {
      isTerminal: process.stdin.isTTY === true,
      async readAll() {
        const pieces: Buffer[] = [];
        for await (const piece of process.stdin) pieces.push(piece as Buffer);
        return Buffer.concat(pieces).toString('utf8');
      },
    },
    openBrowser,
    wait: (ms) => setTimeout(ms),
    onSignal(signal, listener) {
      process.on(signal, listener);
      return () => void process.off(signal, listener);
    },
  };
}

/** By the program that the desktop has for it. It gets the address as one word, and goes on without us. */
function openBrowser(address: string): Promise<boolean> {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  return new Promise((resolve) => {
    const child = spawn(program, [address], { detached: true, stdio: 'ignore' });
    child.once('error', () => resolve(false));
    child.once('spawn', () => {
      child.unref();
      resolve(true);
    });
  });
}

function outputStream(stream: NodeJS.WriteStream): OutputStream {
  // `gantry … | head`: the reader has left, and nobody waits for the rest.
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  return {
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 80;
    },
    write: (bytes) => new Promise((resolve) => void stream.write(bytes, () => resolve())),
  };
}
