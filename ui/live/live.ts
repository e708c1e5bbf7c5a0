import { useEffect, useSyncExternalStore } from 'react';
import { trustedScriptUrl } from '../trusted-types.ts';
import { type FromHub, StreamHub, type ToHub } from './stream-hub.ts';
import workerUrl from './stream-worker.ts?sharedworker&url';

/** `connecting` lasts a few seconds at most: then what is shown is fetched again and again instead. */
export type LiveState = 'connecting' | 'live' | 'polling';

type Listener = (message: FromHub) => void;

const stateListeners = new Set<() => void>();
const messageListeners = new Set<Listener>();
const wanted = new Map<string, number>();
let state: LiveState = 'connecting';
let send: ((message: ToHub) => void) | undefined;
let patience: ReturnType<typeof setTimeout> | undefined;

/** How long the stream may be away before the page says so and polls. */
const patienceMs = 4_000;
export const pollMs = 3_000;

/** Connects this tab with the stream of the browser: through the SharedWorker, the leading tab, or not at all. */
export function startLive(): void {
  send = connectWorker() ?? connectLeader();
  if (!send) {
    setState('polling');
    return;
  }
  expectLive();
  setInterval(() => send?.({ kind: 'alive' }), 30_000);
  addEventListener('pagehide', () => send?.({ kind: 'bye' }));
  // A page that comes back from the back/forward cache has said goodbye: it announces its topics again.
  addEventListener('pageshow', (event) => {
    if (event.persisted) announce();
  });
  announce();
}

function connectWorker(): ((message: ToHub) => void) | undefined {
  if (typeof SharedWorker === 'undefined') return undefined;
  const { port } = new SharedWorker(trustedScriptUrl(workerUrl), { type: 'module', name: 'gantry-stream' });
  port.onmessage = ({ data }: MessageEvent<FromHub>) => receive(data);
  return (message) => port.postMessage(message);
}

/** Without SharedWorker one tab holds the stream for all; who leads is settled by a lock (https and localhost only). */
function connectLeader(): ((message: ToHub) => void) | undefined {
  if (typeof BroadcastChannel === 'undefined' || !('locks' in navigator)) return undefined;
  const id = String(crypto.getRandomValues(new Uint32Array(2)));
  const toHub = new BroadcastChannel('gantry-to-hub');
  const fromHub = new BroadcastChannel('gantry-from-hub');
  let hub: StreamHub | undefined;
  fromHub.onmessage = ({ data }: MessageEvent<FromHub | { kind: 'new-leader' }>) =>
    data.kind === 'new-leader' ? announce() : receive(data);
  void navigator.locks.request('gantry-stream', () => {
    hub = new StreamHub((message) => {
      fromHub.postMessage(message);
      receive(message);
    });
    toHub.onmessage = ({ data }: MessageEvent<{ id: string; message: ToHub }>) => hub?.receive(data.id, data.message);
    fromHub.postMessage({ kind: 'new-leader' });
    announce();
    // The lock is held until this tab goes.
    return new Promise<never>(() => undefined);
  });
  return (message) => (hub ? hub.receive(id, message) : toHub.postMessage({ id, message }));
}

function receive(message: FromHub): void {
  if (message.kind === 'live') {
    if (message.live) setState('live');
    else expectLive();
  }
  for (const listener of messageListeners) listener(message);
}

function expectLive(): void {
  if (wanted.size === 0 || state === 'polling') return;
  // Counted from when it went away: a try that fails in between gives no new patience.
  patience ??= setTimeout(() => setState('polling'), patienceMs);
}

function setState(next: LiveState): void {
  clearTimeout(patience);
  patience = undefined;
  if (next === state) return;
  state = next;
  for (const listener of stateListeners) listener();
}

function announce(): void {
  send?.({ kind: 'topics', topics: [...wanted.keys()] });
}

function change(topic: string, by: 1 | -1): void {
  const count = (wanted.get(topic) ?? 0) + by;
  if (count <= 0) wanted.delete(topic);
  else wanted.set(topic, count);
  announce();
  if (state === 'connecting') expectLive();
}

/** Watches a topic until the answer is called; the last one who lets go of it ends it. */
export function watchTopic(topic: string): () => void {
  change(topic, 1);
  return () => change(topic, -1);
}

export function useTopic(topic: string | undefined): void {
  useEffect(() => (topic === undefined ? undefined : watchTopic(topic)), [topic]);
}

export function listenToStream(listener: Listener): () => void {
  messageListeners.add(listener);
  return () => messageListeners.delete(listener);
}

export function useLiveState(): LiveState {
  return useSyncExternalStore(
    (listener) => {
      stateListeners.add(listener);
      return () => stateListeners.delete(listener);
    },
    () => state,
  );
}

export const liveState = (): LiveState => state;
export function onLiveState(listener: () => void): () => void {
  stateListeners.add(listener);
  return () => stateListeners.delete(listener);
}

/** For `refetchInterval`: only where the stream does not tell, and something may still change. */
export function usePolling(mayChange: boolean): number | false {
  return useLiveState() === 'polling' && mayChange ? pollMs : false;
}
