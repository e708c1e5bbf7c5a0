import { FilesystemLogs } from '../../src/drivers/logs/filesystem/filesystem-logs.ts';
import { armFailpoints } from '../../src/lib/failpoint.ts';

/**
 * Appends chunks to the log of step 1 and prints each number that was acknowledged, until it dies.
 * Arguments: folder, failpoints to arm, number of chunks.
 */
const [folder, failpoints, count] = process.argv.slice(2) as [string, string, string];
armFailpoints(failpoints);
const writer = await new FilesystemLogs(folder).open(1);
const pending: Promise<unknown>[] = [];
for (let sequence = writer.state.sequence + 1; sequence <= Number(count); sequence += 1) {
  const bytes = Buffer.from(`chunk ${sequence} ${'x'.repeat((sequence * 37) % 500)}\n`);
  pending.push(
    writer
      .append({ sequence, stream: 'stdout', atMs: sequence, bytes })
      .then((stored) => process.stdout.write(`${stored}\n`)),
  );
  if (sequence % 7 === 0) await Promise.all(pending.splice(0));
}
await Promise.all(pending);
await writer.end(false);
await writer.close();
process.stdout.write('end\n');
