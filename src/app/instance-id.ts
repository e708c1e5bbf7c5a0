import { randomBytes } from 'node:crypto';
import type { UnitOfWork } from '../core/unit-of-work.ts';

/** Names this Gantry apart from all others: drawn at its first start, kept with its records. */
export async function instanceId({ write }: UnitOfWork): Promise<string> {
  return write(async ({ settings }) => {
    const known = await settings.get('instance-id');
    if (known !== undefined) return known;
    const drawn = randomBytes(8).toString('hex');
    await settings.set('instance-id', drawn);
    return drawn;
  });
}
