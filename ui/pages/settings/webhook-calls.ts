import type { ClientRequest, ClientResult } from '../../../src/api/client.ts';
import { call, refresh } from '../../api.ts';
import type { HolderName } from './holder.ts';

type NewWebhook = ClientRequest<'createWebhook'>['body'];
type Change = ClientRequest<'updateWebhook'>['body'];

const refreshAll = (): Promise<void> =>
  refresh(
    'listWebhooks',
    'listOrganisationWebhooks',
    'listWebhookDeliveries',
    'listOrganisationWebhookDeliveries',
    'getWebhookDelivery',
    'getOrganisationWebhookDelivery',
  );

/** The webhooks of a project, or with the owner alone of an organisation, as a query. */
export const webhooksQuery = ({ owner, project }: HolderName) => ({
  queryKey: [project === undefined ? 'listOrganisationWebhooks' : 'listWebhooks', { owner, project }] as const,
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    project === undefined
      ? call('listOrganisationWebhooks', { params: { owner }, signal })
      : call('listWebhooks', { params: { owner, project }, signal }),
});

export const deliveriesQuery = ({ owner, project }: HolderName, webhook: number, language: string) => ({
  queryKey: [
    project === undefined ? 'listOrganisationWebhookDeliveries' : 'listWebhookDeliveries',
    { owner, project, webhook, language },
  ] as const,
  initialPageParam: undefined as string | undefined,
  queryFn: ({ signal, pageParam }: { signal: AbortSignal; pageParam: string | undefined }) => {
    const query = { limit: 20, after: pageParam };
    return project === undefined
      ? call('listOrganisationWebhookDeliveries', { params: { owner, webhook }, query, signal })
      : call('listWebhookDeliveries', { params: { owner, project, webhook }, query, signal });
  },
  getNextPageParam: (last: ClientResult<'listWebhookDeliveries'>) => last.next ?? undefined,
});

export const deliveryQuery = ({ owner, project }: HolderName, webhook: number, delivery: number, language: string) => ({
  queryKey: [
    project === undefined ? 'getOrganisationWebhookDelivery' : 'getWebhookDelivery',
    { owner, project, webhook, delivery, language },
  ] as const,
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    project === undefined
      ? call('getOrganisationWebhookDelivery', { params: { owner, webhook, delivery }, signal })
      : call('getWebhookDelivery', { params: { owner, project, webhook, delivery }, signal }),
});

export async function createWebhook({ owner, project }: HolderName, body: NewWebhook, idempotencyKey: string) {
  const made =
    project === undefined
      ? await call('createOrganisationWebhook', { params: { owner }, body, idempotencyKey })
      : await call('createWebhook', { params: { owner, project }, body, idempotencyKey });
  await refreshAll();
  return made;
}

export async function updateWebhook({ owner, project }: HolderName, webhook: number, body: Change) {
  const changed =
    project === undefined
      ? await call('updateOrganisationWebhook', { params: { owner, webhook }, body })
      : await call('updateWebhook', { params: { owner, project, webhook }, body });
  await refreshAll();
  return changed;
}

export async function removeWebhook({ owner, project }: HolderName, webhook: number): Promise<void> {
  if (project === undefined) await call('removeOrganisationWebhook', { params: { owner, webhook } });
  else await call('removeWebhook', { params: { owner, project, webhook } });
  await refreshAll();
}

export async function testWebhook({ owner, project }: HolderName, webhook: number): Promise<void> {
  if (project === undefined) await call('testOrganisationWebhook', { params: { owner, webhook } });
  else await call('testWebhook', { params: { owner, project, webhook } });
  await refreshAll();
}

export async function redeliver({ owner, project }: HolderName, webhook: number, delivery: number): Promise<void> {
  if (project === undefined) await call('redeliverOrganisationWebhook', { params: { owner, webhook, delivery } });
  else await call('redeliverWebhook', { params: { owner, project, webhook, delivery } });
  await refreshAll();
}
