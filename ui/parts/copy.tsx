import { useEffect, useState } from 'react';
import { useMessages } from '../language.ts';
import { Icon, type IconName } from './icons.tsx';

/** Copies text; on plain http, where there is no `navigator.clipboard`, by the old command. Answers whether it worked. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea');
  const focused = document.activeElement;
  area.value = text;
  area.className = 'hidden-text';
  area.setAttribute('aria-hidden', 'true');
  // Inside the open dialog, if there is one: elsewhere it could not take the focus.
  (focused?.closest('[role="dialog"]') ?? document.body).append(area);
  area.select();
  const worked = document.execCommand('copy');
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return worked;
}

interface CopyButtonProps {
  /** A long text is made only when it is copied. */
  readonly text: string | (() => string);
  readonly label: string;
  readonly wide?: boolean;
  readonly icon?: IconName;
}

/** A button that copies and says so for a moment. */
export function CopyButton({ text, label, wide = false, icon = 'copy' }: CopyButtonProps) {
  const t = useMessages();
  const [state, setState] = useState<'' | 'copied' | 'failed'>('');
  useEffect(() => {
    if (state === '') return undefined;
    const timer = setTimeout(() => setState(''), 2_000);
    return () => clearTimeout(timer);
  }, [state]);
  const said = state === 'copied' ? t.copied : state === 'failed' ? t.copyFailed : label;
  return (
    <button
      type="button"
      className={wide ? 'button' : 'icon-button'}
      title={said}
      onClick={() =>
        void copyText(typeof text === 'string' ? text : text()).then((worked) => setState(worked ? 'copied' : 'failed'))
      }
    >
      <Icon name={state === 'copied' ? 'check' : state === 'failed' ? 'cross' : icon} />
      <span className={wide ? undefined : 'hidden-text'}>{said}</span>
    </button>
  );
}

/** A line to paste into a terminal. */
export function CommandLine({ command }: { command: string }) {
  const t = useMessages();
  return (
    <div className="command-line">
      <code tabIndex={0} role="group" aria-label={t.command}>
        {command}
      </code>
      <CopyButton text={command} label={t.copy} />
    </div>
  );
}
