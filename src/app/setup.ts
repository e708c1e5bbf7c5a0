import { GantryError } from '../core/errors.ts';
import { createFirstAdmin, createPasswords, createTokenFor } from '../features/accounts/index.ts';
import { systemClock } from '../lib/clock.ts';
import { jsonLogger } from '../lib/logger.ts';
import type { Store } from '../store/open-store.ts';
import type { Config } from './config.ts';
import { openData } from './open-data.ts';

export interface SetUpOptions {
  readonly config: Config;
  /** Name of the admin. */
  readonly admin: string;
  /** Drawn where it is not given. */
  readonly password?: string | undefined;
  /** An admin who is there already is no fault: a new token is made, and the last of the same name revoked. */
  readonly mayExist?: boolean;
  readonly tokenName?: string;
}

export interface SetUp {
  /** A token that may do everything its person may. */
  readonly token: string;
  /** Only when the admin was made now. */
  readonly password: string | undefined;
}

/** Makes the first admin without a browser. The server must not run meanwhile: the data folder is taken. */
export async function setUp({ config, admin, password, mayExist, tokenName = 'setup' }: SetUpOptions): Promise<SetUp> {
  const deps = { clock: systemClock, logger: jsonLogger(config.logLevel) };
  const { store, close } = await openData(config, deps);
  try {
    const isFirst = (await store.read.people.count()) === 0;
    if (!isFirst && !mayExist) throw new GantryError('SETUP_DONE', 'Cannot set up: this Gantry has people already');
    const drawn = isFirst
      ? await createFirstAdmin({ store, clock: systemClock, passwords: createPasswords() }, { name: admin, password })
      : undefined;
    const person = drawn?.person ?? (await existingAdmin(store, admin));
    for (const token of await store.read.tokens.list(person.id))
      if (token.name === tokenName) await store.write((stores) => stores.tokens.remove(token.id));
    const { secret } = await createTokenFor({ store, clock: systemClock }, person, {
      name: tokenName,
      scopes: ['*'],
      expiresInDays: 90,
    });
    return { token: secret, password: drawn?.password };
  } finally {
    await close();
  }
}

async function existingAdmin(store: Store, name: string) {
  const person = await store.read.people.findByName(name);
  if (!person?.isSiteAdmin || person.disabledAt)
    throw new GantryError('PERSON_NOT_FOUND', `Cannot act as "${name}": this Gantry has no admin of this name`);
  return person;
}
