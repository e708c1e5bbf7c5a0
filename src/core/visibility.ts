/** private: members only · internal: everyone who is signed in · public: everyone. */
export const visibilities = ['private', 'internal', 'public'] as const;
export type Visibility = (typeof visibilities)[number];

interface Visible {
  readonly id: number;
  readonly visibility: Visibility;
}

/**
 * Whether all who may read one project may read another as well. A private one has members of its own, and nothing but
 * itself can know that they are the same.
 */
export function isReadByAllWhoRead(read: Visible, reading: Visible): boolean {
  if (read.id === reading.id) return true;
  if (read.visibility === 'private') return false;
  return visibilities.indexOf(read.visibility) >= visibilities.indexOf(reading.visibility);
}
