import { randomInt } from 'node:crypto';
import { hashOfCredential, isWellFormedCredential, newCredential } from '../../core/credential.ts';
import { type DeviceLogin, deviceLoginLifeMs, pollIntervalMs } from '../../core/device-login.ts';
import { GantryError } from '../../core/errors.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import { failpoint } from '../../lib/failpoint.ts';
import { networkOf } from '../../lib/network-of.ts';
import type { OperationHandlers } from '../feature.ts';
import { auditEntry } from './audit-entry.ts';
import type { AccountsDeps } from './deps.ts';
import { getSignedIn } from './person-view.ts';
import { takeTry } from './sign-in.ts';
import { addToken, mayPassOn } from './tokens.ts';

/** Letters that nobody mistakes for another and that spell no word (RFC 8628, 6.1): 20^8 codes, some 34 bits. */
const letters = 'BCDFGHJKLMNPQRSTVWXZ';
/** Logins begun from one network. */
const begunPerNetwork = { capacity: 20, perSecond: 1 / 30 };
/** Logins that wait for somebody at once: the more there are, the easier one is guessed. */
const limitWaiting = 1_000;
const longestIntervalMs = 60_000;

/** The device authorization grant (RFC 8628): a program gets a token that a person approves in a browser. */
export function deviceLoginOperations(deps: AccountsDeps) {
  const { store, clock, publicUrl } = deps;
  return {
    async startDeviceLogin({ body: { host, scopes, expiresInDays } }, request) {
      const at = clock.now();
      const deviceCode = newCredential('dev');
      const userCode = drawUserCode();
      await store.write(async (stores) => {
        const key = `device-login:${networkOf(request.remoteAddress)}`;
        const { allowed, retryAfterMs } = await stores.rateLimits.take(key, 1, begunPerNetwork, at);
        if (!allowed)
          throw new GantryError('RATE_LIMITED', 'Cannot begin a login: too many were begun from this address', {
            details: { retryAfterMs },
          });
        if ((await stores.deviceLogins.count(at)) >= limitWaiting)
          throw new GantryError('SERVER_BUSY', 'Cannot begin a login: too many wait to be approved');
        await stores.deviceLogins.create({
          deviceSha256: hashOfCredential(deviceCode),
          userSha256: hashOfCredential(userCode),
          hostName: host,
          scopes: [...new Set(scopes)],
          expiresInDays,
          remoteAddress: request.remoteAddress,
          createdAt: at,
          expiresAt: new Date(at.getTime() + deviceLoginLifeMs),
          intervalMs: pollIntervalMs,
        });
      });
      const shown = `${userCode.slice(0, 4)}-${userCode.slice(4)}`;
      return {
        deviceCode,
        userCode: shown,
        verificationUri: `${publicUrl}/device`,
        verificationUriComplete: `${publicUrl}/device?code=${shown}`,
        expiresIn: deviceLoginLifeMs / 1_000,
        interval: pollIntervalMs / 1_000,
      };
    },

    async pollDeviceLogin({ body: { deviceCode } }, request) {
      const at = clock.now();
      // One transaction looks, decides and takes the row away: of two who ask with the same code, one gets the token.
      const outcome = await store.write(async (stores) => {
        const login = isWellFormedCredential(deviceCode, 'dev')
          ? await stores.deviceLogins.findByDevice(hashOfCredential(deviceCode))
          : undefined;
        if (!login || login.expiresAt <= at) return 'invalid';
        const { decision } = login;
        if (!decision) return askAgainLater(stores, login, at);

        await stores.deviceLogins.remove(login.deviceSha256);
        const person = decision.isApproved ? await stores.people.find(decision.personId) : undefined;
        if (!person || person.disabledAt) return 'refused';
        const { hostName: name, scopes, expiresInDays } = login;
        const { secret } = await addToken(stores, person, { name, scopes, expiresInDays }, at, {
          actor: { kind: 'person', person, via: 'session', credentialId: '', scopes },
          remoteAddress: request.remoteAddress,
          requestId: request.requestId,
        });
        await failpoint('token.beforeCommit');
        return { state: 'approved', interval: null, secret, person: person.name } as const;
      });
      if (outcome === 'invalid')
        throw new GantryError('DEVICE_CODE_INVALID', 'Cannot log in: the code is wrong, was used, or has expired');
      if (outcome === 'refused') throw new GantryError('DEVICE_LOGIN_REFUSED', 'Cannot log in: it was refused');
      if (outcome.state === 'approved') await failpoint('token.afterCommit');
      return outcome;
    },

    async findDeviceLogin({ body: { userCode } }, request) {
      const me = getSignedIn(request.actor);
      await takeTry(deps, `device:${me.person.name}`, request);
      const login = await getWaiting(store.read, userCode, clock.now());
      return {
        userCode: shownCode(userCode),
        host: login.hostName,
        remoteAddress: login.remoteAddress,
        scopes: [...login.scopes],
        expiresInDays: login.expiresInDays,
        createdAt: login.createdAt.toISOString(),
        expiresAt: login.expiresAt.toISOString(),
      };
    },

    async decideDeviceLogin({ body: { userCode, decision } }, request) {
      const me = getSignedIn(request.actor);
      await takeTry(deps, `device:${me.person.name}`, request);
      const at = clock.now();
      await store.write(async (stores) => {
        const login = await getWaiting(stores, userCode, at);
        const isApproved = decision === 'approve';
        const missing = isApproved ? login.scopes.find((scope) => !mayPassOn(me, scope)) : undefined;
        if (missing !== undefined)
          throw new GantryError(
            'SCOPE_MISSING',
            `Cannot approve a login for ${missing}: the token you ask with lacks it`,
            {
              details: { needs: missing },
            },
          );
        await stores.deviceLogins.update({ ...login, decision: { personId: me.person.id, isApproved } });
        await stores.audit.append(
          auditEntry(
            request,
            at,
            isApproved ? 'device-login:approve' : 'device-login:refuse',
            `person:${me.person.name}`,
            {
              host: login.hostName,
              from: login.remoteAddress,
              scopes: login.scopes,
              expiresInDays: login.expiresInDays,
            },
          ),
        );
      });
    },
  } satisfies OperationHandlers;
}

/** Who asks before the interval is over waits five seconds longer from then on (RFC 8628, 3.5). */
async function askAgainLater(stores: Stores, login: DeviceLogin, at: Date) {
  const isTooSoon =
    login.polledAt !== undefined && at.getTime() - login.polledAt.getTime() < login.intervalMs - toleranceMs;
  const intervalMs = isTooSoon ? Math.min(login.intervalMs + pollIntervalMs, longestIntervalMs) : login.intervalMs;
  await stores.deviceLogins.update({ ...login, intervalMs, polledAt: at });
  const state = isTooSoon ? 'slow-down' : 'pending';
  return { state, interval: intervalMs / 1_000, secret: null, person: null } as const;
}

/** The network may bring two questions closer together than they were asked. */
const toleranceMs = 1_000;

/** The login of a short code that nobody has decided on. The same words for a wrong, an old and a used one. */
async function getWaiting(stores: Stores, userCode: string, at: Date): Promise<DeviceLogin> {
  const login = await stores.deviceLogins.findByUser(hashOfCredential(plainCode(userCode)));
  if (!login || login.decision || login.expiresAt <= at)
    throw new GantryError('DEVICE_CODE_INVALID', 'Cannot find the login: the code is wrong, was used, or has expired');
  return login;
}

function drawUserCode(): string {
  return Array.from({ length: 8 }, () => letters[randomInt(letters.length)]).join('');
}

/** However a person types it: in lower case, with or without the dash. */
function plainCode(text: string): string {
  return text.toUpperCase().replace(/[^A-Z]/g, '');
}

function shownCode(text: string): string {
  const plain = plainCode(text);
  return `${plain.slice(0, 4)}-${plain.slice(4)}`;
}
