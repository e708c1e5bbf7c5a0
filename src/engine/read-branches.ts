import type { Constraint } from './conditions.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import { readConstraint } from './read-conditions.ts';

/** `branches:` at the top of a file of Drone 0.8, and of an older one of Woodpecker; `undefined` when it asks for none. */
export function readBranches(reader: DocumentReader, fields: Fields): Constraint | undefined {
  const entry = fields.get('branches');
  return entry && readConstraint(reader, entry.value, '"branches"');
}
