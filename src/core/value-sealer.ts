import type { Holder } from './holder.ts';
import type { SealedSecret } from './secret-record.ts';
import type { Stores } from './unit-of-work.ts';

/** What a sealed value belongs to: moved to another table, row, holder or name it does not open. */
export interface SealedFor {
  readonly kind?:
    | 'secret'
    | 'registry password'
    | 'git password'
    | 'webhook'
    | 'incoming webhook'
    | 'signing key'
    | 'imported key';
  readonly id: number;
  readonly holder: Holder;
  readonly name: string;
}

/** Seals values that other features keep; the feature that has the key implements it. Throws SECRET_KEY_WRONG. */
export interface ValueSealer {
  /** Within the write that stores it. */
  seal(stores: Stores, value: string, owner: SealedFor): Promise<SealedSecret>;
  open(sealed: SealedSecret, owner: SealedFor): string;
}
