import type { SealedSecret } from './secret-record.ts';

/** A key that a project brought from the system that its files come from. It goes in and never comes out. */
export interface ImportedKey {
  readonly sealed: SealedSecret;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

/** The keys of a project that its pipeline files are signed with, and that secrets in them are encrypted with. */
export interface SigningKeyStore {
  /** Its own. */
  find(projectId: number): Promise<SealedSecret | undefined>;
  /** `false`, and nothing written, when the project has one. */
  create(projectId: number, sealed: SealedSecret, at: Date): Promise<boolean>;
  findImported(projectId: number): Promise<ImportedKey | undefined>;
  /** Takes the place of the one that is there. */
  setImported(projectId: number, key: ImportedKey): Promise<void>;
  /** Whether there was one. */
  removeImported(projectId: number): Promise<boolean>;
}
