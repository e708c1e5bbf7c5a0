import { useSyncExternalStore } from 'react';
import { ApiError } from '../../src/api/client.ts';
import { currentMessages, useMessages } from '../language.ts';
import { Icon } from './icons.tsx';

interface Toast {
  readonly id: number;
  readonly tone: 'ok' | 'bad';
  readonly text: string;
  readonly hint?: string;
}

const shownMs = 6_000;
const maxToasts = 4;
const listeners = new Set<() => void>();
let toasts: readonly Toast[] = [];
let lastId = 0;

function show(toast: Omit<Toast, 'id'>): void {
  const id = ++lastId;
  change([...toasts, { ...toast, id }].slice(-maxToasts));
  // What went wrong stays until it is closed.
  if (toast.tone === 'ok') setTimeout(() => close(id), shownMs);
}

function close(id: number): void {
  change(toasts.filter((toast) => toast.id !== id));
}

function change(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

export function toast(text: string): void {
  show({ tone: 'ok', text });
}

/** For `onError` of what a person asked for: what was refused and what to do next. */
export function toastError(error: unknown): void {
  if (error instanceof ApiError) show({ tone: 'bad', text: error.problem.detail, hint: error.problem.hint });
  else show({ tone: 'bad', text: currentMessages().serverAway, hint: currentMessages().serverAwayHint });
}

/** Drawn once, by the frame; polite, so that it does not interrupt what is being read out. */
export function Toasts() {
  const t = useMessages();
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map(({ id, tone, text, hint }) => (
        <div key={id} className={`toast ${tone}`}>
          <Icon name={tone === 'ok' ? 'check' : 'cross'} />
          <div>
            <p>{text}</p>
            {hint !== undefined && hint !== '' && <small>{hint}</small>}
          </div>
          <button type="button" className="icon-button" aria-label={t.close} onClick={() => close(id)}>
            <Icon name="cross" size={12} />
          </button>
        </div>
      ))}
    </div>
  );
}
