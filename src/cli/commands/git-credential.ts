import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { readHosts } from '../hosts-file.ts';

/** `gantry git-credential get`, which git runs: answers with the sign-in to the host it asks about (gitcredentials(7)). */
export function addGitCredential(parent: Command, cli: Cli): void {
  parent.command('git-credential <operation>', { hidden: true }).action(async (operation: string) => {
    // `store` and `erase` are for helpers that keep what git was told; ours is kept by `gantry login`.
    if (operation !== 'get') return;
    const asked = new Map(
      (await cli.io.stdin.readAll()).split('\n').flatMap((line) => {
        const at = line.indexOf('=');
        return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
      }),
    );
    const origin = `${asked.get('protocol')}://${asked.get('host')}`;
    const { hosts } = readHosts(cli.hostsFile);
    const known = hosts[origin] ?? Object.entries(hosts).find(([url]) => url.startsWith(`${origin}/`))?.[1];
    if (known) await cli.out.line(`username=${known.name}\npassword=${known.token}`);
  });
}
