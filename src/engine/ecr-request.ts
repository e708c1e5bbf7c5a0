import type { AwsKeys } from '../lib/aws-signature.ts';

/** A login that AWS is asked for before an image is pushed to its registry. */
export interface EcrRequest {
  readonly region: string;
  readonly keys: AwsKeys;
  /** Registry that the login is for; absent = the one that AWS names. */
  readonly registry?: string | undefined;
  /** Repositories that are made where they are not there, by their path. */
  readonly create: readonly string[];
  readonly scansOnPush: boolean;
}

/** The region that the host of a registry of AWS names, or `undefined`. */
export function regionOfRegistry(host: string): string | undefined {
  return /\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(?:\/|$)/.exec(host)?.[1];
}

/** Whether a text may be part of the address of AWS. */
export function isRegion(text: string): boolean {
  return /^[a-z]{2,8}(?:-[a-z0-9]{1,16}){1,4}$/.test(text);
}
