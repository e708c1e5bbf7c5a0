import { execFile } from 'node:child_process';

/** Bytes that the folders take on the disk; `undefined` when they cannot be measured. Follows no link. */
export function measureDiskBytes(du: string, folders: readonly string[]): Promise<number | undefined> {
  return new Promise((resolve) => {
    execFile(du, ['-s', '-x', '-c', '-B1', '--', ...folders], { env: {}, maxBuffer: 1 << 20 }, (_error, stdout) => {
      // Files that vanish while it walks make it complain and still count the rest.
      const total = stdout.trimEnd().split('\n').at(-1)?.split('\t')[0];
      resolve(total === undefined || total === '' ? undefined : Number(total));
    });
  });
}

/** Watches the size of folders until it is stopped or the limit is passed. Once a second, less often when it takes long. */
export function watchDiskLimit(options: {
  readonly du: string;
  readonly folders: readonly string[];
  readonly limitBytes: number;
  readonly onExceeded: () => void;
}): { stop(): void } {
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    const startedAtMs = performance.now();
    const bytes = await measureDiskBytes(options.du, options.folders);
    if (isStopped) return;
    if (bytes !== undefined && bytes > options.limitBytes) {
      options.onExceeded();
      return;
    }
    const tookMs = performance.now() - startedAtMs;
    timer = setTimeout(() => void look(), Math.max(1_000, 5 * tookMs));
    timer.unref();
  };
  timer = setTimeout(() => void look(), 1_000);
  timer.unref();
  return {
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
