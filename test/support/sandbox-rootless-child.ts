/** What an ordinary user gets: prints one JSON line with the probe, the outcome and the output of one step. */
import { busyboxImage, openSandboxWorld } from './sandbox-world.ts';

const world = await openSandboxWorld('auto');
const probe = await world.runtime.probe();
let text = '';
let outcome: unknown;
let refused: unknown;
if (probe.isUsable) {
  const job = await world.runtime.prepare({ id: 'rootless', workspace: '/drone/src' });
  const stage = { name: 'step', kind: 'commands', image: busyboxImage, pull: 'never', network: 'job' } as const;
  const staged = await job.stage({ ...stage, id: 'one', limits: {} });
  const running = staged.release({
    script:
      'id -u; echo x > file; cat file; rm /etc/passwd; echo x > /proc/sys/kernel/core_pattern || echo refused; exit 5',
    environment: {},
    secrets: {},
    timeoutMs: 20_000,
    graceMs: 100,
    onOutput: (stream, bytes) => void (stream === 'stdout' && (text += bytes.toString())),
  });
  outcome = await running.outcome;
  refused = await job
    .stage({ ...stage, id: 'two', limits: { memoryBytes: 1 << 26 } })
    .catch((error: unknown) => String(error));
}
await world.close();
process.stdout.write(`${JSON.stringify({ uid: process.getuid?.(), probe, outcome, text, refused })}\n`);
