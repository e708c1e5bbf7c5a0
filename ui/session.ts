import { useQuery } from '@tanstack/react-query';
import type { ClientResult } from '../src/api/client.ts';
import { ask, cache, statusOf } from './api.ts';
import { go } from './router.tsx';

export type Me = ClientResult<'getMe'>;

/** Who is signed in; `null` for a visitor, `undefined` while it is not known. */
export function useMe(): Me | null | undefined {
  const { data, error } = useQuery({ ...ask('getMe'), staleTime: 60_000 });
  if (error && statusOf(error) === 401) return null;
  return data;
}

/** After a sign-in or sign-out nothing that was fetched before counts any more. */
export function changePerson(): void {
  cache.clear();
}

/** Where to sign in, and come back from. */
export function signInAddress(): string {
  const here = `${location.pathname}${location.search}${location.hash}`;
  return here === '/' ? '/login' : `/login?next=${encodeURIComponent(here)}`;
}

export function goToSignIn(): void {
  go(signInAddress(), { replace: true });
}

const ranks = ['read', 'triage', 'write', 'maintain', 'admin', 'owner'] as const;

/** Whether a role reaches another; what the server allows is its own decision, this only saves vain clicks. */
export function isAtLeast(role: string | null | undefined, needed: (typeof ranks)[number]): boolean {
  const rank = ranks.findIndex((one) => one === role);
  return rank >= ranks.indexOf(needed);
}
