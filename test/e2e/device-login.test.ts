import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listen } from '../../src/server/listen.ts';
import { type RunOptions, type RunResult, runCommand } from '../support/cli-fixture.ts';
import { bearer, cookie, jsonBody, openServerWorld, type ServerWorld } from '../support/server-world.ts';

let world: ServerWorld;
let url: string;
let folder: string;
let session: Record<string, string>;
let stop: () => Promise<unknown>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-device-'));
  world = await openServerWorld();
  const listening = await listen(world.app, { hostname: '127.0.0.1', port: 0 });
  url = listening.url;
  stop = () => listening.close();
  session = cookie(await world.session(await world.person('mei')));
});
afterEach(async () => {
  await stop();
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

const hostsFile = (): string => join(folder, 'gantry/hosts.json');

async function decide(userCode: string, decision: 'approve' | 'refuse'): Promise<number> {
  const answer = await world.request('/api/v1/device-logins/decision', {
    method: 'POST',
    body: jsonBody({ userCode, decision }).body as string,
    headers: { ...session, 'Content-Type': 'application/json' },
  });
  return answer.status;
}

/** Runs `gantry login`, with a person who does something after each wait. Time passes as the command waits. */
async function login(
  words: readonly string[],
  person: (userCode: string, waits: number) => unknown = () => {},
  options: RunOptions = {},
): Promise<RunResult & { readonly waitsMs: readonly number[] }> {
  let notes = '';
  const waitsMs: number[] = [];
  const result = await runCommand(['login', ...words], {
    folder,
    ...options,
    environment: { XDG_CONFIG_HOME: folder, ...options.environment },
    onNote: (text) => {
      notes += text;
    },
    async onWait(ms) {
      waitsMs.push(ms);
      world.clock.advance(ms);
      const code = /\b[A-Z]{4}-[A-Z]{4}\b/.exec(notes)?.[0];
      await person(code ?? '', waitsMs.length);
    },
  });
  return { ...result, waitsMs };
}

describe('gantry login without a token', () => {
  it('shows an address and a code, and keeps the token once a person approved it', async () => {
    const { code, stderr, stdout, waitsMs } = await login([url], (userCode, waits) =>
      waits === 3 ? decide(userCode, 'approve') : undefined,
    );
    expect(code).toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toContain('http://gantry.test/device\n');
    expect(stderr).toContain(`Signed in to ${url} as mei`);
    expect(waitsMs).toEqual([5_000, 5_000, 5_000]);

    const kept = JSON.parse(readFileSync(hostsFile(), 'utf8')) as { hosts: Record<string, { token: string }> };
    expect(statSync(hostsFile()).mode & 0o777).toBe(0o600);
    const { token } = kept.hosts[url]!;
    expect(await world.json('/api/v1/me', { headers: bearer(token) })).toMatchObject({ name: 'mei', via: 'token' });
    expect(stderr).not.toContain(token);
    const whoami = await runCommand(['whoami'], { folder, environment: { XDG_CONFIG_HOME: folder } });
    expect(whoami.stdout).toContain('mei');
  });

  it('asks for the scopes that are given, and gets along without the right to ask who it is', async () => {
    const { code } = await login([url, '--scope', 'code:read', '--scope', 'pipeline:read'], (userCode) =>
      decide(userCode, 'approve'),
    );
    expect(code).toBe(0);
    const { items } = await world.json('/api/v1/me/tokens', { headers: session });
    expect(items).toMatchObject([{ scopes: ['code:read', 'pipeline:read'] }]);
  });

  it('ends when a person refuses, and keeps nothing', async () => {
    const { code, stderr } = await login([url], (userCode) => decide(userCode, 'refuse'));
    expect(code).toBe(4);
    expect(stderr).toContain('DEVICE_LOGIN_REFUSED');
    expect(() => statSync(hostsFile())).toThrow('ENOENT');
  });

  it('ends when the code runs out, after asking at the server’s pace and no more', async () => {
    const { code, stderr, waitsMs } = await login([url]);
    expect(code).toBe(3);
    expect(stderr).toContain('the code expired before anybody approved it');
    expect(waitsMs).toHaveLength(120);
    expect(() => statSync(hostsFile())).toThrow('ENOENT');
  });

  it('goes on when the server was away for a while, and asks it less often meanwhile', async () => {
    const port = Number(new URL(url).port);
    const { code, waitsMs } = await login([url], async (userCode, waits) => {
      if (waits === 1) await stop();
      if (waits === 3) {
        const again = await listen(world.app, { hostname: '127.0.0.1', port });
        stop = () => again.close();
        await decide(userCode, 'approve');
      }
    });
    expect(code).toBe(0);
    expect(waitsMs).toEqual([5_000, 10_000, 20_000]);
  });

  it('opens a browser for a person at a screen, with the code, and at no other end of ssh', async () => {
    const shown: string[] = [];
    const approve = (userCode: string): Promise<number> => decide(userCode, 'approve');
    const options = { isTerminal: true, onBrowser: (address: string) => shown.push(address) };
    const at = (environment: Record<string, string>) => login([url], approve, { ...options, environment });
    expect((await at({ DISPLAY: ':0' })).stderr).toContain('The page is open in your browser');
    await at({ DISPLAY: ':0', SSH_CONNECTION: '1' });
    await at({});
    expect(shown).toEqual([expect.stringMatching(/^http:\/\/gantry\.test\/device\?code=[A-Z]{4}-[A-Z]{4}$/)]);
  });

  it.each([[['--no-input'], {}] as const, [[], { CI: 'true' }] as const])(
    'waits for nobody where nobody can be asked: %j %j',
    async (words, environment) => {
      const { code, stderr } = await login([url, ...words], undefined, { environment });
      expect(code).toBe(2);
      expect(stderr).toContain('--token -');
      expect(await world.store.read.deviceLogins.count(world.clock.now())).toBe(0);
    },
  );

  it('speaks Chinese', async () => {
    const { stderr } = await login([url], (userCode) => decide(userCode, 'approve'), {
      environment: { LANG: 'zh_CN.UTF-8' },
    });
    expect(stderr).toContain('并核对代码');
  });
});
