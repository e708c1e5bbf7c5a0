import { infiniteQueryOptions, QueryClient, queryOptions } from '@tanstack/react-query';
import { ApiError, type ClientRequest, type ClientResult, createClient } from '../src/api/client.ts';
import type { OperationId } from '../src/api/operations.ts';
import { currentLanguage } from './language.ts';

/** The API of the server that served this page. */
export const call = createClient('', () => ({ 'Accept-Language': currentLanguage() === 'zh' ? 'zh-CN' : 'en' }));

export const cache = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // What the server refused stays refused; what did not arrive may arrive.
      retry: (failures, error) => failures < 2 && (!(error instanceof ApiError) || error.problem.status >= 502),
      refetchOnWindowFocus: true,
    },
  },
});

type QueryRequest<Id extends OperationId> = Omit<ClientRequest<Id>, 'signal'>;

/** An operation as a query: `useQuery(ask('getProject', { params }))`. Its key begins with the operation's id. */
export function ask<Id extends OperationId>(id: Id, request: QueryRequest<Id> = {} as QueryRequest<Id>) {
  const { params, query } = request as { params?: object; query?: object };
  return queryOptions({
    queryKey: [id, params ?? {}, query ?? {}] as const,
    queryFn: ({ signal }) =>
      (call as (id: Id, request: object) => Promise<ClientResult<Id>>)(id, { ...request, signal }),
  });
}

/** Refetches what is shown of these operations, and forgets the rest. */
export async function refresh(...ids: OperationId[]): Promise<void> {
  await Promise.all(ids.map((id) => cache.invalidateQueries({ queryKey: [id] })));
}

/** `crypto.randomUUID` exists on https and localhost only; Gantry is also served over plain http. */
export function newIdempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function statusOf(error: unknown): number | undefined {
  return error instanceof ApiError ? error.problem.status : undefined;
}

/** As `ask`, for a list that is read page by page with `useInfiniteQuery`. */
export function askPages<
  Id extends 'listProjects' | 'listPipelines' | 'listCommits' | 'listAudit' | 'listProjectAudit',
>(id: Id, request: QueryRequest<Id> = {} as QueryRequest<Id>) {
  const { params, query } = request as { params?: object; query?: object };
  return infiniteQueryOptions({
    queryKey: [id, params ?? {}, query ?? {}, 'pages'] as const,
    initialPageParam: undefined as string | undefined,
    queryFn: ({ signal, pageParam }) =>
      (call as (id: Id, request: object) => Promise<ClientResult<Id>>)(id, {
        ...request,
        query: { ...query, after: pageParam },
        signal,
      }),
    getNextPageParam: (last) => (last as { next: string | null }).next ?? undefined,
  });
}
