import { type ReactNode, useState } from 'react';
import { FormError } from './answers.tsx';
import { Logo } from './icons.tsx';

/** A page that is one card: where one comes in from outside. */
export function CardPage({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="card-page">
      <div className="brand">
        <Logo />
        <b>Gantry</b>
      </div>
      <h1>{title}</h1>
      {children}
    </div>
  );
}

/** The form of such a page: one button, and above it what the server refused. What was typed stays. */
export function CardForm({
  action,
  sending = action,
  onSend,
  children,
}: {
  /** Says what will happen. */
  action: string;
  /** Said while it happens. */
  sending?: string;
  /** Resolves when it is done and the page is left; what it throws is shown. */
  onSend: (form: FormData) => Promise<void>;
  children: ReactNode;
}) {
  const [error, setError] = useState<unknown>();
  const [isSending, setSending] = useState(false);
  const send = async (form: FormData): Promise<void> => {
    setSending(true);
    setError(undefined);
    try {
      await onSend(form);
    } catch (refusal) {
      setError(refusal);
      setSending(false);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!isSending) void send(new FormData(event.currentTarget));
      }}
    >
      {children}
      <FormError error={error} />
      <button type="submit" className="button primary wide" aria-disabled={isSending}>
        {isSending ? sending : action}
      </button>
    </form>
  );
}
