import { useSyncExternalStore } from 'react';

/** What the part after `#` says: `#unit`, `#build/unit`, `#unit@1:L10-L20`. Lines count from 1. */
export interface StepAddress {
  readonly workflow?: string;
  readonly step: string;
  /** Absent = the latest. */
  readonly attempt?: number;
  readonly lines?: readonly [first: number, last: number];
}

export function parseStepAddress(hash: string): StepAddress | undefined {
  const found = /^#(?:([^/@:]+)\/)?([^/@:]+)(?:@(\d{1,6}))?(?::L(\d{1,9})(?:-L(\d{1,9}))?)?$/.exec(hash);
  if (!found) return undefined;
  const [, workflow, step = '', attempt, first, last] = found;
  try {
    const from = Number(first);
    const to = Number(last ?? first);
    return {
      step: decodeURIComponent(step),
      ...(workflow !== undefined && { workflow: decodeURIComponent(workflow) }),
      ...(attempt !== undefined && { attempt: Number(attempt) }),
      ...(first !== undefined && from > 0 && { lines: [Math.min(from, to), Math.max(from, to)] as const }),
    };
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

export function formatStepAddress({ workflow, step, attempt, lines }: StepAddress): string {
  const name = `${workflow === undefined ? '' : `${encodeURIComponent(workflow)}/`}${encodeURIComponent(step)}`;
  const range = !lines ? '' : lines[0] === lines[1] ? `:L${lines[0]}` : `:L${lines[0]}-L${lines[1]}`;
  return `#${name}${attempt === undefined ? '' : `@${attempt}`}${range}`;
}

const listeners = new Set<() => void>();

/** A link that was opened fresh, one pasted into the same tab (hashchange only), and our own changes all count. */
export function useStepHash(): string {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      addEventListener('hashchange', listener);
      return () => {
        listeners.delete(listener);
        removeEventListener('hashchange', listener);
      };
    },
    () => location.hash,
  );
}

/** Replaces the present entry of the history: choosing lines is not going somewhere. */
export function setStepHash(address: StepAddress): void {
  history.replaceState(history.state, '', `${location.pathname}${location.search}${formatStepAddress(address)}`);
  for (const listener of listeners) listener();
}
