import type { SealedSecret } from './secret-record.ts';

/** The key of a project that its pipeline files are signed with, and that secrets in them are encrypted with. */
export interface SigningKeyStore {
  find(projectId: number): Promise<SealedSecret | undefined>;
  /** `false`, and nothing written, when the project has one. */
  create(projectId: number, sealed: SealedSecret, at: Date): Promise<boolean>;
}
