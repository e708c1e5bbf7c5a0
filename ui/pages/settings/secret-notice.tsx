import { useMessages } from '../../language.ts';
import { CommandLine } from '../../parts/copy.tsx';
import { NoticeDialog } from '../../parts/dialog.tsx';

/** A webhook's secret, for the only time that it is shown. */
export function SecretNotice({ secret, onClose }: { secret: string; onClose: () => void }) {
  const t = useMessages();
  return (
    <NoticeDialog title={t.webhook.secretTitle} onClose={onClose}>
      <p>{t.webhook.secretOnce}</p>
      <CommandLine command={secret} />
    </NoticeDialog>
  );
}
