import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { GantryError } from '../../core/errors.ts';

/** Hashes passwords, a few at a time: each takes a core and 32 MiB for a quarter of a second. */
export interface Passwords {
  /** PHC string. Throws RATE_LIMITED when too many wait already. */
  hash(password: string): Promise<string>;
  /**
   * Whether it is the password of this PHC string. Without one it takes as long and answers no, so that nobody learns
   * from the time who has an account. `isOutdated`: right, but hashed more cheaply than is done now.
   */
  verify(
    password: string,
    phc: string | undefined,
  ): Promise<{ readonly isRight: boolean; readonly isOutdated: boolean }>;
}

/** Cost of scrypt: 2^`logN` × `blockSize` × 128 bytes of memory, `parallelism` times over. */
export interface PasswordCost {
  readonly logN: number;
  readonly blockSize: number;
  readonly parallelism: number;
}

/** OWASP's equivalent of the larger sets, with 32 MiB of memory (reliability-security 11.3). */
export const presentCost: PasswordCost = { logN: 15, blockSize: 8, parallelism: 3 };

const hashBytes = 32;
const atOnce = 2;
const limitWaiting = 20;

export function createPasswords(cost: PasswordCost = presentCost): Passwords {
  let running = 0;
  const waiting: (() => void)[] = [];

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= atOnce) {
      if (waiting.length >= limitWaiting)
        throw new GantryError('RATE_LIMITED', 'Cannot check the password: too many sign-ins are under way', {
          details: { retryAfterMs: 3_000 },
        });
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      // The place goes to the next in line without becoming free in between.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  }

  return {
    hash: (password) =>
      inTurn(async () => {
        const salt = randomBytes(16);
        const { logN, blockSize, parallelism } = cost;
        const hash = await derive(password, salt, cost);
        return `$scrypt$ln=${logN},r=${blockSize},p=${parallelism}$${base64(salt)}$${base64(hash)}`;
      }),
    verify: (password, phc) =>
      inTurn(async () => {
        const stored = readPhc(phc);
        const hash = await derive(password, stored?.salt ?? Buffer.alloc(16), stored?.cost ?? cost);
        const isRight = stored !== undefined && timingSafeEqual(hash, stored.hash);
        return { isRight, isOutdated: isRight && stored.cost.logN < cost.logN };
      }),
  };
}

function derive(password: string, salt: Buffer, cost: PasswordCost): Promise<Buffer> {
  const options: ScryptOptions = {
    N: 2 ** cost.logN,
    r: cost.blockSize,
    p: cost.parallelism,
    maxmem: 128 * 2 ** cost.logN * cost.blockSize * 2,
  };
  // The same characters are typed differently on different keyboards.
  const text = password.normalize('NFKC');
  return new Promise((resolve, reject) => {
    scrypt(text, salt, hashBytes, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

/** `undefined` for what is no string of ours, and so nobody's password. */
function readPhc(phc: string | undefined): { cost: PasswordCost; salt: Buffer; hash: Buffer } | undefined {
  const found = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/]+)\$([\w+/]+)$/.exec(phc ?? '');
  if (!found) return undefined;
  const [, logN, blockSize, parallelism, salt, hash] = found as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const bytes = Buffer.from(hash, 'base64');
  if (bytes.length !== hashBytes || Number(logN) > 20) return undefined;
  return {
    cost: { logN: Number(logN), blockSize: Number(blockSize), parallelism: Number(parallelism) },
    salt: Buffer.from(salt, 'base64'),
    hash: bytes,
  };
}

/** PHC strings write base64 without its padding. */
function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
