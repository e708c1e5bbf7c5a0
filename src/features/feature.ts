import type { Context } from 'hono';
import type { OperationId, OperationInput, OperationResult } from '../api/operations.ts';
import type { Action, Actor } from '../core/permission.ts';

/** What a feature hands to the application: operations of the API table, other routes, and work that goes on by itself. */
export interface Feature {
  readonly name: string;
  readonly operations?: OperationHandlers;
  /** Routes outside the API table: git, streams, downloads. They name their policy too. */
  readonly routes?: readonly RawRoute[];
  /** Called once the store is open, in the order of the features; awaits what must be done before requests are taken. */
  start?(): Promise<void>;
  /** Called in reverse order. After it resolves the feature writes nothing more. */
  stop?(): Promise<void>;
}

export type OperationHandlers = {
  readonly [Id in OperationId]?: (input: OperationInput<Id>, request: RequestContext) => Promise<OperationResult<Id>>;
};

/** What a handler may know of the request, beyond its input. The route's own action has been authorised already. */
export interface RequestContext {
  readonly actor: Actor;
  readonly requestId: string;
  readonly remoteAddress: string;
  readonly userAgent: string;
  readonly language: 'en' | 'zh';
  readonly idempotencyKey: string | undefined;
  /** For what the route's own policy does not cover (each reference of a push, each topic of a stream). Throws. */
  authorize(action: Action, resource: ResourceName): Promise<void>;
  /** As `authorize`, as a question. */
  may(action: Action, resource: ResourceName): Promise<boolean>;
  /**
   * Records in the audit that something was refused, on `subject`; the server itself records refusals of what a route
   * asks of whoever is signed in. Bounded: what is refused again and again is counted, not written each time.
   */
  noteRefusal(action: `${string}:refused`, subject: string): Promise<void>;
  /** Sets a response header of an operation: cookies, ETag. */
  setHeader(name: string, value: string): void;
}

/** A resource by its name; the server looks up roles and visibility. */
export type ResourceName =
  | { readonly on: 'anyone' | 'self' | 'site' }
  | { readonly on: 'owner'; readonly name: string }
  | { readonly on: 'project'; readonly owner: string; readonly name: string };

export interface RawRoute {
  readonly method: 'GET' | 'POST' | 'HEAD';
  /** Hono pattern, e.g. `/:owner/:project{.+\\.git}/info/refs`. */
  readonly path: string;
  readonly summary: string;
  /** How the route is authorised, from the request alone and before anything else happens. */
  readonly policy: (request: { readonly params: Readonly<Record<string, string>>; readonly url: URL }) => {
    readonly action: Action;
    readonly resource: ResourceName;
  };
  /** Which answer a refusal gets: git clients want a Basic challenge, browsers a problem document. */
  readonly challenge: 'basic' | 'problem';
  readonly handle: (context: Context, request: RequestContext) => Promise<Response> | Response;
}
