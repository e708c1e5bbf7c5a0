import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { findSandboxHindrance } from '../../../../test/support/sandbox-world.ts';

const child = join(import.meta.dirname, '../../../../test/support/sandbox-cgroup2-child.ts');

/** Where version 2 is all there is the other suites are about it anyway. */
function findHindrance(): string | undefined {
  const hindrance = findSandboxHindrance('bubblewrap');
  if (hindrance) return hindrance;
  if (existsSync('/sys/fs/cgroup/cgroup.controllers')) return 'this host has version 2 alone';
  const made = spawnSync('unshare', ['-m', 'mount', '-t', 'cgroup2', 'none', '/mnt']);
  return made.status === 0 ? undefined : 'cgroup2 cannot be mounted here';
}

// Controllers that the host has in version 1 are missing here: what joins, counts, kills and removes is version 2's own.
describe.skipIf(findHindrance())('sandboxes on control groups of version 2', () => {
  for (const launcher of ['bubblewrap', 'runc'] as const) {
    it(`join, are killed whole and leave nothing with ${launcher}, and tell what cannot be limited`, async (context) => {
      if (findSandboxHindrance(launcher)) context.skip();
      const { stdout } = await promisify(execFile)('unshare', ['-m', process.execPath, child, launcher]);
      const said = JSON.parse(stdout) as Record<string, unknown> & { processes: number };
      expect(said).toMatchObject({
        probe: { isUsable: true, capabilities: { processes: true, diskLimit: true } },
        exited: { kind: 'exited', exitCode: 3 },
        cancelled: { kind: 'cancelled', reason: 'by a test' },
        leftovers: [],
      });
      // runc moves the container to a group of its own below.
      expect(said.processes).toBeGreaterThanOrEqual(launcher === 'runc' ? 1 : 2);
    });
  }
});
