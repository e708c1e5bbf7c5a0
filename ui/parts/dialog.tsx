import { Dialog } from '@base-ui/react/dialog';
import { type ReactNode, useEffect, useState } from 'react';
import { useMessages } from '../language.ts';
import { FormError } from './answers.tsx';

/**
 * Brings the focus back to where it was when a dialog opened. The dialogs here come and go with their component, and a
 * field inside takes the focus at once, so nobody else knows where it had been.
 */
export function useFocusReturn(): void {
  // Drawing comes before any field of the dialog takes the focus.
  const [opener] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      setTimeout(() => {
        const isFree = document.activeElement === null || document.activeElement === document.body;
        if (isFree && opener instanceof HTMLElement && opener.isConnected) opener.focus();
      });
    },
    [opener],
  );
}

interface FormDialogProps {
  readonly title: string;
  readonly description?: string;
  /** Says what will happen. */
  readonly action: string;
  readonly isDangerous?: boolean;
  readonly onClose: () => void;
  /** Resolves when it is done, and the dialog closes; what it throws is shown in the dialog. */
  readonly onSubmit: (form: FormData) => Promise<void>;
  readonly children?: ReactNode;
}

/** A question with one button that says what it will do. Focus goes in, stays in, and comes back. */
export function FormDialog({ title, description, action, isDangerous, onClose, onSubmit, children }: FormDialogProps) {
  const t = useMessages();
  useFocusReturn();
  const [error, setError] = useState<unknown>();
  const [isSending, setIsSending] = useState(false);
  const submit = async (form: FormData): Promise<void> => {
    setIsSending(true);
    setError(undefined);
    try {
      await onSubmit(form);
      onClose();
    } catch (refusal) {
      setError(refusal);
    } finally {
      setIsSending(false);
    }
  };
  return (
    <Dialog.Root open onOpenChange={(open) => open || isSending || onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="veil" />
        <Dialog.Popup className="dialog">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (!isSending) void submit(new FormData(event.currentTarget));
            }}
          >
            <Dialog.Title>{title}</Dialog.Title>
            {description !== undefined && <Dialog.Description>{description}</Dialog.Description>}
            {children}
            <FormError error={error} />
            <footer>
              <Dialog.Close className="button">{t.cancel}</Dialog.Close>
              <button
                type="submit"
                className={`button ${isDangerous ? 'danger-solid' : 'primary'}`}
                aria-disabled={isSending}
              >
                {action}
              </button>
            </footer>
          </form>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** Shows something once, with nothing to decide. */
export function NoticeDialog({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
}) {
  const t = useMessages();
  useFocusReturn();
  return (
    <Dialog.Root open onOpenChange={(open) => open || onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="veil" />
        <Dialog.Popup className="dialog">
          <Dialog.Title>{title}</Dialog.Title>
          {children}
          <footer>
            <Dialog.Close className="button primary">{t.done}</Dialog.Close>
          </footer>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
