/** Error numbers of the WebAssembly System Interface, preview 1. */
const errno = { success: 0, badf: 8, nosys: 52 };

/** Sizes and offsets of its records, in bytes: subscription, event, and where a subscription says how long. */
const subscription = { size: 48, tagAt: 8, clock: 0, timeoutAt: 24 };
const event = { size: 32, typeAt: 10 };

/** Thrown out of the program when it ends itself. */
class ProgramEnd extends Error {}

/** What a program of preview 1 gets here: what it reads, room for what it writes, clocks and chance. No file, no name. */
export interface WasiRun {
  readonly exitCode: number;
  readonly stdout: Buffer;
  /** Where a program says what broke it; its end, if it says much. */
  readonly stderr: string;
}

const stderrBytes = 16 * 1024;

/**
 * Runs a module to its end. Whatever it asks for that is no input, output, clock or chance is refused with a number of
 * the interface: there is nothing behind it, so a program cannot reach a file, a connection or the environment.
 */
export function runWasi(module: WebAssembly.Module, input: Uint8Array, maxOutputBytes: number): WasiRun {
  const output: Buffer[] = [];
  let [outputBytes, read, exitCode] = [0, 0, 0];
  let stderr = Buffer.alloc(0);
  let memory: WebAssembly.Memory;
  const view = (): DataView => new DataView(memory.buffer);
  const bytes = (at: number, length: number): Uint8Array<ArrayBuffer> => new Uint8Array(memory.buffer, at, length);

  /** Hands each buffer of a list (address and length, four bytes each) over; answers the bytes that were taken. */
  const scatter = (list: number, count: number, each: (buffer: Uint8Array) => number): number => {
    let total = 0;
    for (let i = 0; i < count; i++) {
      const [at, length] = [view().getUint32(list + i * 8, true), view().getUint32(list + i * 8 + 4, true)];
      const done = each(bytes(at, length));
      total += done;
      if (done < length) break;
    }
    return total;
  };

  const given: Record<string, (...numbers: never[]) => number> = {
    fd_read: (fd: number, list: number, count: number, answer: number) => {
      if (fd !== 0) return errno.badf;
      const total = scatter(list, count, (buffer) => {
        const part = input.subarray(read, read + buffer.length);
        buffer.set(part);
        read += part.length;
        return part.length;
      });
      view().setUint32(answer, total, true);
      return errno.success;
    },
    fd_write: (fd: number, list: number, count: number, answer: number) => {
      if (fd !== 1 && fd !== 2) return errno.badf;
      const total = scatter(list, count, (buffer) => {
        if (fd === 2) stderr = Buffer.concat([stderr, buffer]).subarray(-stderrBytes);
        else if ((outputBytes += buffer.length) <= maxOutputBytes) output.push(Buffer.from(buffer));
        return buffer.length;
      });
      view().setUint32(answer, total, true);
      return errno.success;
    },
    clock_time_get: (_id: number, _precision: bigint, answer: number) => {
      view().setBigUint64(answer, process.hrtime.bigint(), true);
      return errno.success;
    },
    random_get: (at: number, length: number) => {
      crypto.getRandomValues(bytes(at, length));
      return errno.success;
    },
    // A lone program waits for nothing but the time; longer than a moment it never needs to.
    poll_oneoff: (list: number, answers: number, count: number, answer: number) => {
      let answered = 0;
      for (let i = 0; i < count; i++) {
        const at = list + i * subscription.size;
        if (view().getUint8(at + subscription.tagAt) !== subscription.clock) continue;
        const to = answers + answered++ * event.size;
        bytes(to, event.size).fill(0);
        bytes(to, 8).set(bytes(at, 8));
        view().setUint8(to + event.typeAt, subscription.clock);
      }
      view().setUint32(answer, answered, true);
      return errno.success;
    },
    sched_yield: () => errno.success,
    args_sizes_get: (count: number, size: number) => writeNothing(view(), count, size),
    environ_sizes_get: (count: number, size: number) => writeNothing(view(), count, size),
    args_get: () => errno.success,
    environ_get: () => errno.success,
    fd_prestat_get: () => errno.badf,
    fd_fdstat_get: (fd: number, answer: number) => {
      if (fd > 2) return errno.badf;
      bytes(answer, 24).fill(0);
      return errno.success;
    },
    fd_fdstat_set_flags: () => errno.success,
    proc_exit: (code: number) => {
      exitCode = code;
      throw new ProgramEnd();
    },
  };
  const imports: Record<string, WebAssembly.ImportValue> = {};
  for (const { name } of WebAssembly.Module.imports(module)) imports[name] = given[name] ?? (() => errno.nosys);
  const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: imports });
  memory = instance.exports['memory'] as WebAssembly.Memory;
  try {
    (instance.exports['_start'] as () => void)();
  } catch (error) {
    if (!(error instanceof ProgramEnd)) throw error;
  }
  return { exitCode, stdout: Buffer.concat(output), stderr: stderr.toString() };
}

function writeNothing(view: DataView, count: number, size: number): number {
  view.setUint32(count, 0, true);
  view.setUint32(size, 0, true);
  return errno.success;
}
