import { type UseQueryResult, useQuery } from '@tanstack/react-query';
import type { ProjectName } from '../../addresses.ts';

/** What a form is filled from. */
export interface ForChange<T> {
  readonly value: T;
  /** Sent back with the change: one by somebody else meanwhile is refused, not overwritten. */
  readonly etag: string | undefined;
}

interface LoadOptions {
  readonly signal: AbortSignal;
  readonly onResponse: (response: Response) => void;
}

/** Fetches what a form of a project's settings changes, anew for each form. `operation` names it. */
export function useForChange<T>(
  operation: string,
  name: ProjectName,
  load: (options: LoadOptions) => Promise<T>,
): UseQueryResult<ForChange<T>> {
  return useQuery({
    queryKey: [operation, name, 'for-change'],
    queryFn: async ({ signal }): Promise<ForChange<T>> => {
      let etag: string | undefined;
      const value = await load({
        signal,
        onResponse: (response) => {
          etag = response.headers.get('etag') ?? undefined;
        },
      });
      return { value, etag };
    },
    // A form that is being filled in is not changed under the hands.
    refetchOnWindowFocus: false,
    staleTime: 0,
  });
}
