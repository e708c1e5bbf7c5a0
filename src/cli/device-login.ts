import { hostname } from 'node:os';
import type { ClientResult } from '../api/client.ts';
import { ApiError } from '../api/client.ts';
import { GantryError } from '../core/errors.ts';
import type { Scope } from '../core/permission.ts';
import type { Cli } from './cli.ts';
import { Exit, exitCodes } from './exit-codes.ts';
import { printable } from './text-width.ts';

export interface DeviceToken {
  readonly token: string;
  /** Who approved it. */
  readonly name: string;
}

/** Bounds on what a server says, in seconds. */
const shortestInterval = 1;
const longestInterval = 60;
const longestWait = 3_600;

/**
 * Asks a Gantry for a token that a person approves in a browser (RFC 8628): shows the address and the code, opens the
 * page where there is a browser, and asks at the server's pace until somebody decided. Where nobody can be asked it
 * refuses with INPUT_NEEDED. Ends the command with exit code 3 when the code ran out.
 */
export async function loginByDevice(cli: Cli, url: string, scopes: readonly Scope[]): Promise<DeviceToken> {
  const { texts, out, io } = cli;
  if (!cli.ask.mayAsk || io.environment['CI'])
    throw new GantryError('INPUT_NEEDED', texts.errors.noAnswer(texts.approveInBrowser, '--token -'));
  const { client } = cli.sessionWith(url, undefined);
  const login = await client('startDeviceLogin', {
    body: { host: hostname().slice(0, 100) || 'gantry', scopes: [...scopes] },
  });
  await out.note(texts.deviceOpen);
  await out.note(`\n  ${printable(login.verificationUri)}\n`);
  await out.note(`${texts.deviceCode}\n\n  ${out.paintNote('bold', printable(login.userCode))}\n`);
  if (hasBrowser(cli) && isWebAddress(login.verificationUriComplete))
    if (await io.openBrowser(login.verificationUriComplete)) await out.note(texts.browserOpened);
  return poll(cli, client, login);
}

type Client = ReturnType<Cli['sessionWith']>['client'];

async function poll(cli: Cli, client: Client, login: ClientResult<'startDeviceLogin'>): Promise<DeviceToken> {
  const { texts, out } = cli;
  let interval = bounded(login.interval);
  let left = Math.min(login.expiresIn, longestWait);
  if (!out.isLive) await out.note(texts.deviceWaiting(left));
  while (left > 0) {
    await pause(cli, Math.min(interval, left), left);
    left -= interval;
    const answer = await askOnce(client, login.deviceCode);
    // Nobody answered: the server may be starting anew. Ask less often until it does (RFC 8628, 3.5).
    if (answer === 'expired') break;
    if (answer === undefined) interval = bounded(interval * 2);
    else if (answer.secret !== null && answer.person !== null) {
      await clearLine(cli);
      return { token: answer.secret, name: answer.person };
    } else interval = bounded(answer.interval ?? interval);
  }
  await clearLine(cli);
  await out.note(`${out.paintNote('red', texts.error)} ${texts.deviceExpired}`);
  throw new Exit(exitCodes.declined);
}

/** `undefined` when the server is away or busy, which may pass; a refusal is thrown. */
async function askOnce(
  client: Client,
  deviceCode: string,
): Promise<ClientResult<'pollDeviceLogin'> | 'expired' | undefined> {
  try {
    return await client('pollDeviceLogin', { body: { deviceCode } });
  } catch (error) {
    if (error instanceof ApiError && (error.problem.status >= 500 || error.problem.status === 429)) return undefined;
    // The clocks here and there differ by what the requests took.
    if (error instanceof ApiError && error.problem.code === 'DEVICE_CODE_INVALID') return 'expired';
    if (error instanceof GantryError && error.code === 'SERVER_UNREACHABLE') return undefined;
    throw error;
  }
}

/** Waits; on a terminal the time that is left is seen going. */
async function pause(cli: Cli, seconds: number, left: number): Promise<void> {
  if (!cli.out.isLive) return cli.io.wait(seconds * 1_000);
  for (let passed = 0; passed < seconds; passed += 1) {
    await cli.out.draw(`\r\u001b[2K${cli.texts.deviceWaiting(left - passed)}`);
    await cli.io.wait(1_000);
  }
}

async function clearLine({ out }: Cli): Promise<void> {
  if (out.isLive) await out.draw('\r\u001b[2K');
}

function bounded(interval: number): number {
  return Math.min(Math.max(Math.ceil(interval), shortestInterval), longestInterval);
}

/** Somebody sits before a screen: not at the other end of ssh, where a browser would open for nobody. */
function hasBrowser({ io: { environment, stderr } }: Cli): boolean {
  if (!stderr.isTerminal || environment['SSH_CONNECTION']) return false;
  return process.platform === 'darwin' || Boolean(environment['DISPLAY'] || environment['WAYLAND_DISPLAY']);
}

/** A server may answer anything; a browser is given nothing but a page. */
function isWebAddress(text: string): boolean {
  return URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
}
