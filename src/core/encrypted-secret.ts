/** A secret whose value stands encrypted in a pipeline file: a document of the kind `secret` (pipelines.md 10.8). */
export interface EncryptedSecret {
  /** Lower case. */
  readonly name: string;
  /** Base64 of a nonce of 12 bytes, and AES-256-GCM's ciphertext with its tag. */
  readonly data: string;
}

/**
 * Why an encrypted value does not open: it is no such value (`damaged`), the project has no key (`no-key`), or it was
 * encrypted with a key that the project has not, or changed since (`wrong-key`).
 */
export type EncryptionFault = 'damaged' | 'no-key' | 'wrong-key';

/** What came of opening an encrypted value. */
export type OpenedValue = { readonly value: string } | { readonly fault: EncryptionFault };
