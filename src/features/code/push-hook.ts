import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { randomBase62 } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';

/** Where the objects of a push lie until git takes it: what git must be given to see them. */
export type Quarantine = Readonly<Record<string, string>>;

/** Decides about a push whose objects have arrived; answers why not, or `undefined` to let it pass. */
export type PushRule = (quarantine: Quarantine) => Promise<string | undefined>;

/** Variables by which git shows a hook its quarantine. */
const quarantineVariables = [
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_QUARANTINE_PATH',
] as const;

/**
 * The pre-receive hook: for rules that need the objects of a push. Perl, since perl-base is on every Debian and starts in
 * 6 ms where Node takes 35. It asks the server over a Unix socket, with a word that is good for one push.
 * No answer = refused: whatever goes wrong, the push does not pass.
 */
const hookProgram = `#!/usr/bin/perl
use strict;
use warnings;
use Socket;
sub refuse { print STDERR "Cannot take the push: $_[0]\\n"; exit 1 }
$SIG{ALRM} = sub { refuse('the server did not answer in time') };
$SIG{PIPE} = 'IGNORE';
alarm(60);
socket(my $server, PF_UNIX, SOCK_STREAM, 0) or refuse('there is no socket');
connect($server, sockaddr_un($ENV{GANTRY_HOOK_SOCKET} // '')) or refuse('the server cannot be reached');
my @lines = ($ENV{GANTRY_HOOK_NONCE} // '');
push @lines, map { $_ . '=' . ($ENV{$_} // '') } qw(${quarantineVariables.join(' ')});
my $question = join("\\n", @lines) . "\\n\\n";
syswrite($server, $question) == length($question) or refuse('the server cannot be asked');
my $answer = '';
while (sysread($server, my $part, 4096)) { $answer .= $part; last if length($answer) > 65536 }
exit 0 if $answer eq "pass\\n";
refuse('the server gave no answer') unless $answer =~ s/^refuse\\n//;
print STDERR $answer;
exit 1;
`;

/** The kernel's limit for the path of a socket, without its closing zero (unix(7)). */
const maxSocketPathBytes = 107;

export class PushHooks {
  readonly #dataFolder: string;
  readonly #logger: Logger;
  readonly #rules = new Map<string, PushRule>();
  #server: Server | undefined;
  #socketPath = '';
  /** In the temporary folder, where the data folder lies too deep. */
  #ownFolder: string | undefined;
  readonly #sockets = new Set<Socket>();

  constructor(dataFolder: string, logger: Logger) {
    this.#dataFolder = dataFolder;
    this.#logger = logger;
  }

  /** What `core.hooksPath` names for a push with a rule. */
  get folder(): string {
    return join(this.#dataFolder, 'hooks');
  }

  async start(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const path = join(this.folder, 'pre-receive');
    await writeFile(`${path}.new`, hookProgram);
    await chmod(`${path}.new`, 0o755);
    await rename(`${path}.new`, path);
    const socketPath = await this.#makeSocketPath();
    this.#server = createServer((socket) => this.#answer(socket));
    const listening = Promise.withResolvers<void>();
    this.#server.once('error', listening.reject);
    this.#server.listen(socketPath, listening.resolve);
    await listening.promise;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = Promise.withResolvers<void>();
    if (this.#server) this.#server.close(() => closed.resolve());
    else closed.resolve();
    await closed.promise;
    if (this.#ownFolder !== undefined) await rm(this.#ownFolder, { recursive: true, force: true });
  }

  /**
   * In the data folder, over what a server left there that was killed: a second one has no access to it. Where that lies
   * too deep, in the temporary folder under a name that follows from the data folder, so that the next start finds it.
   */
  async #makeSocketPath(): Promise<string> {
    this.#socketPath = join(this.folder, 'socket');
    if (Buffer.byteLength(this.#socketPath) <= maxSocketPathBytes) {
      await rm(this.#socketPath, { force: true });
      return this.#socketPath;
    }
    const name = createHash('sha256').update(resolve(this.#dataFolder)).digest('hex').slice(0, 12);
    const folder = join(tmpdir(), `gantry-hook-${process.getuid?.() ?? 0}-${name}`);
    try {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { mode: 0o700 });
      this.#ownFolder = folder;
    } catch (error) {
      // Somebody else's: it is not touched.
      this.#logger.warn('The folder of the push hook’s socket is not ours', { error, folder });
      this.#ownFolder = await mkdtemp(join(tmpdir(), 'gantry-hook-'));
    }
    this.#socketPath = join(this.#ownFolder, 'socket');
    return this.#socketPath;
  }

  /** Announces a push: the environment its git must have, and what to call once it has ended. */
  expect(rule: PushRule): { readonly environment: Readonly<Record<string, string>>; readonly forget: () => void } {
    const nonce = randomBase62();
    this.#rules.set(nonce, rule);
    return {
      environment: { GANTRY_HOOK_SOCKET: this.#socketPath, GANTRY_HOOK_NONCE: nonce },
      forget: () => void this.#rules.delete(nonce),
    };
  }

  #answer(socket: Socket): void {
    this.#sockets.add(socket);
    let question = '';
    socket.setTimeout(30_000, () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', (error) => this.#logger.warn('A push hook lost its connection', { error }));
    socket.on('data', (chunk) => {
      question += chunk.toString('utf8');
      if (question.length > 65_536) socket.destroy();
      else if (question.endsWith('\n\n')) {
        const asked = question;
        question = '';
        void this.#decide(asked).then((answer) => socket.end(answer));
      }
    });
  }

  async #decide(question: string): Promise<string> {
    const [nonce = '', ...lines] = question.trimEnd().split('\n');
    const rule = this.#take(nonce);
    if (!rule) return 'refuse\nCannot take the push: its hook is not known to the server\n';
    const quarantine: Record<string, string> = {};
    for (const line of lines) {
      const name = quarantineVariables.find((known) => line.startsWith(`${known}=`));
      if (name !== undefined && line.length > name.length + 1) quarantine[name] = line.slice(name.length + 1);
    }
    try {
      const why = await rule(quarantine);
      return why === undefined ? 'pass\n' : `refuse\n${why}\n`;
    } catch (error) {
      this.#logger.error('A rule about a push could not be decided', { error });
      return 'refuse\nCannot take the push: its rule could not be decided\n';
    }
  }

  /** A word is good once. */
  #take(nonce: string): PushRule | undefined {
    const rule = this.#rules.get(nonce);
    this.#rules.delete(nonce);
    return rule;
  }
}
