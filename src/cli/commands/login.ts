import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { hostname } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { createClient } from '../../api/client.ts';
import { GantryError } from '../../core/errors.ts';
import { rootFolder } from '../../lib/root-folder.ts';
import type { Cli } from '../cli.ts';
import { type DeviceToken, loginByDevice } from '../device-login.ts';
import { readHosts, writeHosts } from '../hosts-file.ts';
import { collect, scopesOf } from '../options.ts';

const run = promisify(execFile);

interface LoginOptions {
  readonly token?: string;
  readonly name?: string;
  readonly scope?: readonly string[];
  readonly git?: true;
}

/** `gantry login [address]`: gets a token that a person approves, or checks the one given; remembers it, and lets git use it. */
export function addLogin(parent: Command, cli: Cli): void {
  const { texts } = cli;
  parent
    .command('login [address]')
    .description(texts.commands.login)
    .option('--token <token>', texts.options.token)
    .option('--name <name>', texts.options.name)
    .option('--scope <scope>', texts.options.loginScopes, collect)
    .option('--git', texts.options.git)
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry login http://127.0.0.1:3000\n  gantry login https://git.example.com --scope code:write --scope pipeline:read\n  gantry login https://git.example.com --token - < token.txt\n`,
    )
    .action(async (address: string | undefined, options: LoginOptions) => {
      const url = cli.cleanUrl(
        address ?? (await cli.address())?.url ?? (await cli.ask.text(texts.askUrl, 'gantry login ADDRESS')),
      );
      const { token, name } = await tokenFor(cli, url, options);
      const known = readHosts(cli.hostsFile);
      writeHosts(cli.hostsFile, { hosts: { ...known.hosts, [url]: { token, name } }, current: url });
      await cli.out.note(texts.signedIn(name, url));

      if (options.git || (cli.ask.canAsk && (await cli.ask.yes(texts.askGit, '--git')))) {
        await setUpGit(url, cli.io.environment['PATH']);
        await cli.out.note(texts.gitIsSetUp(url));
      }
    });
}

/** `gantry logout [address]` */
export function addLogout(parent: Command, cli: Cli): void {
  parent
    .command('logout [address]')
    .description(cli.texts.commands.logout)
    .action(async (address: string | undefined) => {
      const known = readHosts(cli.hostsFile);
      const url = address === undefined ? (await cli.address())?.url : cli.cleanUrl(address);
      if (url === undefined || !known.hosts[url])
        throw new GantryError(
          'SIGN_IN_REQUIRED',
          url === undefined ? cli.texts.errors.notSignedIn : cli.texts.errors.noTokenFor(url),
        );
      const { [url]: _, ...others } = known.hosts;
      writeHosts(cli.hostsFile, {
        hosts: others,
        current: known.current === url ? Object.keys(others)[0] : known.current,
      });
      await cli.out.note(cli.texts.signedOut(url));
    });
}

async function tokenFor(cli: Cli, url: string, options: LoginOptions): Promise<DeviceToken> {
  const token = await givenToken(cli, url, options);
  if (token === undefined) return loginByDevice(cli, url, scopesOf(cli, options.scope ?? ['*']));
  const { name } = await cli.sessionWith(url, token).client('getMe');
  return { token, name };
}

/** `undefined` where none was given, nor a name to get one by. */
async function givenToken(cli: Cli, url: string, options: LoginOptions): Promise<string | undefined> {
  const { io } = cli;
  if (options.token === '-') return notEmpty(cli, (await io.stdin.readAll()).trim());
  if (options.token !== undefined) return notEmpty(cli, options.token);
  if (options.name !== undefined) return tokenByPassword(cli, url, options.name);
  return (!cli.ask.canAsk && io.environment['GANTRY_TOKEN']) || undefined;
}

/** Signs in as a browser would, makes a token for this host, and signs out again: the password is kept nowhere. */
async function tokenByPassword(cli: Cli, url: string, name: string): Promise<string> {
  const { texts, ask, io } = cli;
  const password = ask.canAsk
    ? await ask.hidden(texts.askPassword, '--token -')
    : notEmpty(cli, (await io.stdin.readAll()).trim());
  let cookie = '';
  const client = createClient(url, () => ({
    'Accept-Language': cli.language,
    ...(cookie === '' ? {} : { Cookie: cookie }),
  }));
  try {
    await client('signIn', {
      body: { name, password },
      onResponse: (response) => {
        cookie = response.headers
          .getSetCookie()
          .map((line) => line.split(';', 1)[0])
          .join('; ');
      },
    });
    const { secret } = await client('createToken', {
      body: { name: `gantry login, ${hostname()}`.slice(0, 100), scopes: ['*'], expiresInDays: 90 },
    });
    await client('signOut');
    return secret;
  } catch (error) {
    throw cli.translated(url, error);
  }
}

function notEmpty(cli: Cli, text: string): string {
  if (text === '') throw new GantryError('USAGE_WRONG', cli.texts.errors.emptyInput('token'));
  return text;
}

/** Names this program as the credential helper for this address alone. */
async function setUpGit(url: string, path = ''): Promise<void> {
  const key = `credential.${url}.helper`;
  // An empty helper first: those configured for all hosts are not asked for this one.
  await run('git', ['config', '--global', '--replace-all', key, '']);
  await run('git', ['config', '--global', '--add', key, `!${thisProgram(path)} git-credential`]);
}

/** As a shell finds it: by its name where that is on the path, so that an upgrade is found too. */
function thisProgram(path: string): string {
  const isOnPath = path.split(delimiter).some((folder) => isProgram(join(folder, 'gantry')));
  return isOnPath ? 'gantry' : `'${join(rootFolder, 'bin/gantry').replaceAll("'", String.raw`'\''`)}'`;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
