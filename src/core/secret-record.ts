/** A secret of a project. The value is sealed (envelope encryption) and never leaves the server but to a step that names it. */
export interface SecretRecord {
  readonly id: number;
  readonly projectId: number;
  /** Lower case; looked up whatever its case. */
  readonly name: string;
  /** Events for which steps may have it. */
  readonly events: readonly string[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

/** What is stored of a value: AES-256-GCM under a key of its own, which is wrapped by the key of the key file. */
export interface SealedSecret {
  readonly keyId: string;
  readonly wrappedKey: Buffer;
  readonly nonce: Buffer;
  readonly ciphertext: Buffer;
}

export interface SecretStore {
  list(projectId: number): Promise<readonly SecretRecord[]>;
  find(projectId: number, name: string): Promise<(SecretRecord & { readonly sealed: SealedSecret }) | undefined>;
  /** A row's id enters what is sealed, so it is drawn before the value is. */
  reserve(projectId: number, name: string, at: Date, by: string): Promise<SecretRecord>;
  setSealed(id: number, sealed: SealedSecret, events: readonly string[], at: Date, by: string): Promise<void>;
  remove(projectId: number, name: string): Promise<boolean>;
}
