import type { Person } from '../../src/core/person.ts';
import type { RequestContext } from '../../src/features/feature.ts';

/** What a handler may know of a request by this person, who may do everything, but for what a test says of it. */
export function requestOf(person: Person, more: Partial<RequestContext> = {}): RequestContext {
  return {
    actor: { kind: 'person', person, via: 'token', credentialId: 'test', scopes: ['*'] },
    requestId: 'test',
    remoteAddress: '127.0.0.1',
    userAgent: 'test',
    language: 'en',
    idempotencyKey: undefined,
    authorize: () => Promise.resolve(),
    may: () => Promise.resolve(true),
    noteRefusal: async () => {},
    setHeader: () => {},
    ...more,
  };
}
