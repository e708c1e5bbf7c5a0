import { GantryError } from '../../core/errors.ts';
import type { Person } from '../../core/person.ts';
import type { Stores } from '../../core/unit-of-work.ts';

/** Throws PERSON_NOT_FOUND. */
export async function getPerson(stores: Stores, name: string): Promise<Person> {
  const person = await stores.people.findByName(name);
  if (!person)
    throw new GantryError('PERSON_NOT_FOUND', `Cannot find "${name}": nobody has this name`, { details: { name } });
  return person;
}
