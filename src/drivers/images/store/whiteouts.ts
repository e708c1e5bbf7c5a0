import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GantryError } from '../../../core/errors.ts';
import type { Whiteouts } from './unpack-layer.ts';

/**
 * Turns the whiteouts of a layer into those of the kernel's overlay: a 0:0 character device for a hidden name, an
 * attribute for an opaque folder (kernel documentation, overlayfs.rst). Node has neither call; perl-base is Essential.
 */
export async function makeWhiteouts(folder: string, whiteouts: Whiteouts): Promise<void> {
  if (whiteouts.hidden.length === 0 && whiteouts.opaque.length === 0) return;
  for (const name of whiteouts.hidden) await mkdir(join(folder, dirname(name)), { recursive: true });
  const lines = [
    ...whiteouts.hidden.map((name) => `h${join(folder, name)}`),
    ...whiteouts.opaque.map((name) => `o${join(folder, name)}`),
  ];
  await feedPerl(lines);
}

/** System call numbers of setxattr and mknodat (asm/unistd.h); the attribute's name depends on who mounts. */
const script = `
  use strict;
  my ($setxattr, $mknodat) = $ARGV[0] eq 'x64' ? (188, 259) : (5, 33);
  my $attribute = ($> == 0 ? 'trusted' : 'user') . '.overlay.opaque';
  $/ = "\\0";
  while (my $line = <STDIN>) {
    chomp $line;
    my ($kind, $path) = (substr($line, 0, 1), substr($line, 1));
    my $done = $kind eq 'h'
      ? syscall($mknodat, -100, $path, 0020000, 0)
      : syscall($setxattr, $path, $attribute, 'y', 1, 0);
    die "$path: $!\\n" if $done != 0 && !($kind eq 'h' && $!{EEXIST});
  }
`;

function feedPerl(lines: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('perl', ['-MErrno', '-e', script, process.arch], { stdio: ['pipe', 'ignore', 'pipe'] });
    let lastWords = '';
    child.stderr.on('data', (bytes: Buffer) => {
      lastWords = `${lastWords}${bytes}`.slice(-1_000);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new GantryError('RUNTIME_UNAVAILABLE', `Cannot write the whiteouts of a layer: ${lastWords.trim()}`));
    });
    child.stdin.end(lines.map((line) => `${line}\0`).join(''));
  });
}
