import { GantryError } from '../../core/errors.ts';
import { isValidName, reservedNames } from '../../core/owner.ts';

/** Refuses a name that no person or organisation may have. */
export function checkName(name: string): void {
  if (!isValidName(name))
    throw new GantryError('NAME_INVALID', `Cannot use the name "${name}": it does not follow the rules`, {
      details: { name },
    });
  if (reservedNames.has(name.toLowerCase()))
    throw new GantryError('NAME_RESERVED', `Cannot use the name "${name}": it is an address of Gantry itself`, {
      details: { name },
    });
}

const minimumLength = 10;

/** Refuses a password that is guessed first. Length counts, mixtures of characters do not (NIST SP 800-63B, 3.1.1.2). */
export function checkPassword(password: string, name: string): void {
  const why =
    password.length < minimumLength
      ? `it has fewer than ${minimumLength} characters`
      : password.toLowerCase() === name.toLowerCase()
        ? 'it is the name'
        : new Set(password).size < 4
          ? 'it repeats the same few characters'
          : undefined;
  if (why !== undefined) throw new GantryError('PASSWORD_WEAK', `Cannot use this password: ${why}`);
}
