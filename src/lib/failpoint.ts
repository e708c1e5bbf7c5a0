/**
 * Places where a test may make the program die, throw, hang or wait.
 * Unarmed it is one comparison. Armed by `GANTRY_FAILPOINTS=name=action[@n];…` in fault tests, where
 * action is `kill`, `throw`, `hang` or `delay:<ms>` and `n` the call on which it fires (default 1).
 */
export type FailpointAction = { kind: 'kill' | 'throw' | 'hang' } | { kind: 'delay'; ms: number };

interface Armed {
  readonly action: FailpointAction;
  readonly onCall: number;
  calls: number;
}

let armed: Map<string, Armed> | undefined;

/** Arms failpoints from their textual form; `undefined` or empty text disarms all. */
export function armFailpoints(text: string | undefined): void {
  if (!text) {
    armed = undefined;
    return;
  }
  armed = new Map();
  for (const entry of text.split(';')) {
    const found = /^([\w.]+)=(kill|throw|hang|delay:(\d+))(?:@(\d+))?$/.exec(entry.trim());
    if (!found) throw new TypeError(`Cannot arm failpoint "${entry}": write name=kill|throw|hang|delay:<ms>[@n]`);
    const [, name, what, ms, onCall] = found;
    const action: FailpointAction = ms
      ? { kind: 'delay', ms: Number(ms) }
      : { kind: what as 'kill' | 'throw' | 'hang' };
    armed.set(name!, { action, onCall: Number(onCall ?? 1), calls: 0 });
  }
}

/** Does nothing unless a test armed `name`. Awaited where it stands, so that `hang` and `delay` hold the caller. */
export function failpoint(name: string): Promise<void> | undefined {
  return armed === undefined ? undefined : fire(name);
}

function fire(name: string): Promise<void> | undefined {
  const point = armed?.get(name);
  if (!point) return undefined;
  point.calls += 1;
  if (point.calls !== point.onCall) return undefined;
  switch (point.action.kind) {
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      // The signal arrives asynchronously; nothing after this line may run.
      for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
    case 'throw':
      throw new Error(`Failpoint ${name}`);
    case 'hang':
      return new Promise(() => {});
    case 'delay': {
      const { ms } = point.action;
      return new Promise((resolve) => setTimeout(resolve, ms));
    }
  }
}
