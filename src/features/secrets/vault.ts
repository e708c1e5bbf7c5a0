import type { EventKind } from '../../core/event.ts';
import type { SecretRecord } from '../../core/secret-record.ts';
import type { SecretVault } from '../../core/secret-vault.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { KeyFile } from './key-file.ts';
import { unseal } from './seal.ts';

/** Opens secrets for steps. `keyFile` is asked when one is opened: the server reads it while it starts. */
export function createVault({ read }: UnitOfWork, keyFile: () => KeyFile): SecretVault {
  async function open({ projectId, name }: SecretRecord): Promise<string | undefined> {
    const found = await read.secrets.find(projectId, name);
    return found && unseal(found.sealed, found, keyFile());
  }

  async function recordsFor(projectId: number, event: EventKind): Promise<readonly SecretRecord[]> {
    return (await read.secrets.list(projectId)).filter(({ events }) => events.includes(event));
  }

  return {
    async names(projectId, event) {
      return (await recordsFor(projectId, event)).map(({ name }) => name);
    },
    async reveal(projectId, event) {
      const values = new Map<string, string>();
      for (const record of await recordsFor(projectId, event)) {
        const value = await open(record);
        // Removed between the two reads: then it is not there.
        if (value !== undefined) values.set(record.name, value);
      }
      return values;
    },
    async maskValues(projectId) {
      const values = await Promise.all((await read.secrets.list(projectId)).map(open));
      return values.filter((value) => value !== undefined);
    },
  };
}
