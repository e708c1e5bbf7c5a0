import { formatSize } from '../../../lib/size.ts';

/** One message of an engine's pull, as both engines stream them. */
export interface PullMessage {
  readonly id?: string;
  readonly status?: string;
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** A line so often at most: a log is no progress bar. */
const everyMs = 2_000;

/** Sums up the layers of a pull into a line now and then. */
export class PullProgress {
  readonly #name: string;
  readonly #tell: (line: string) => void;
  readonly #layers = new Map<string, { current: number; total: number; isDone: boolean }>();
  #toldAtMs = 0;
  #lastLine = '';

  constructor(name: string, tell: (line: string) => void) {
    this.#name = name;
    this.#tell = tell;
    tell(`pulling ${name}`);
  }

  take(message: PullMessage, nowMs: number): void {
    const { id, status = '', progressDetail } = message;
    if (status.startsWith('Digest: ')) this.#tell(`pulled ${this.#name}: ${status.slice('Digest: '.length)}`);
    if (id === undefined || !/^[0-9a-f]{12}/.test(id)) return;
    const layer = this.#layers.get(id) ?? { current: 0, total: 0, isDone: false };
    this.#layers.set(id, layer);
    if (status === 'Downloading' && progressDetail) {
      layer.current = progressDetail.current ?? layer.current;
      layer.total = progressDetail.total ?? layer.total;
    }
    if (/complete|exists/i.test(status)) {
      layer.current = layer.total;
      layer.isDone ||= /Pull complete|exists|Download complete/i.test(status);
    }
    if (nowMs - this.#toldAtMs < everyMs) return;
    const layers = [...this.#layers.values()];
    const total = layers.reduce((sum, each) => sum + each.total, 0);
    if (total === 0) return;
    const current = layers.reduce((sum, each) => sum + each.current, 0);
    const done = layers.filter(({ isDone }) => isDone).length;
    const line = `pulling ${this.#name}: ${done} of ${layers.length} layers, ${formatSize(current)} of ${formatSize(total)}`;
    if (line === this.#lastLine) return;
    this.#toldAtMs = nowMs;
    this.#lastLine = line;
    this.#tell(line);
  }
}
