import { spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findSandboxHindrance } from '../../../../test/support/sandbox-world.ts';

const child = join(import.meta.dirname, '../../../../test/support/sandbox-rootless-child.ts');
/** Any user who is not root and has no place of its own in /etc/passwd. */
const user = { uid: 54_321, gid: 54_321 };

function findHindrance(): string | undefined {
  const hindrance = findSandboxHindrance('bubblewrap');
  if (hindrance) return hindrance;
  const sees = spawnSync(process.execPath, ['--check', child], user);
  if (sees.status !== 0) return 'another user cannot read these files';
  const made = spawnSync('unshare', ['-Ur', 'true'], user);
  return made.status === 0 ? undefined : 'ordinary users may make no user namespaces here';
}

describe.skipIf(findHindrance())('sandbox of an ordinary user', () => {
  it('isolates a step, says what it cannot limit, refuses limits it cannot keep, and leaves nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gantry-rootless-'));
    chownSync(folder, user.uid, user.gid);
    const { code, stdout, stderr } = await run(folder);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const said = JSON.parse(stdout) as {
      uid: number;
      probe: { isUsable: boolean; findings: string[]; capabilities: Record<string, boolean> };
      outcome: unknown;
      text: string;
      refused: string;
    };
    expect(said.uid).toBe(user.uid);
    expect(said.probe.isUsable).toBe(true);
    expect(said.probe.capabilities).toMatchObject({ memoryLimit: false, pidsLimit: false, network: false });
    expect(said.probe.findings.join('\n')).toMatch(/memory cannot be limited/);
    expect(said.probe.findings.join('\n')).toMatch(/no network/);
    expect(said.outcome).toEqual({ kind: 'exited', exitCode: 5 });
    expect(said.text).toBe('0\nx\nrefused\n');
    expect(said.refused).toMatch(/cannot enforce/);
    expect(readdirSync(folder)).toEqual([]);
    rmSync(folder, { recursive: true });
  });
});

function run(folder: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const runner = spawn(process.execPath, [child], {
      ...user,
      cwd: folder,
      env: { HOME: folder, TMPDIR: folder, PATH: '/usr/bin:/bin' },
    });
    let stdout = '';
    let stderr = '';
    runner.stdout.on('data', (bytes: Buffer) => void (stdout += bytes.toString()));
    runner.stderr.on('data', (bytes: Buffer) => void (stderr += bytes.toString()));
    runner.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
