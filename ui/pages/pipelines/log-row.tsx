import { type MouseEvent, memo } from 'react';
import { formatBytes, formatDuration, useMessages } from '../../language.ts';
import { Icon } from '../../parts/icons.tsx';
import { plainText, segments } from './ansi.ts';
import { shownCharacters } from './log-store.ts';

export interface LogRowProps {
  /** From 0. */
  readonly line: number;
  /** `undefined` while it has not come. */
  readonly text: string | undefined;
  readonly sizeBytes: number;
  readonly rawUrl: string;
  readonly look: string;
  readonly onChoose: (event: MouseEvent, line: number) => void;
  /** When it came, where times are shown; empty while that is not known. */
  readonly time?: string | undefined;
  readonly timeTitle?: string | undefined;
  /** Set for the header of a command's output. */
  readonly command?: number;
  readonly isOpen?: boolean;
  readonly hidden?: number;
  readonly tookMs?: number | undefined;
  readonly onToggle?: (command: number, isOpen: boolean) => void;
}

/** One line of a log: its number, which is a link to it, when it came, and what it says. */
export const LogRow = memo(function LogRow(props: LogRowProps) {
  const { line, text, look, onChoose, time, timeTitle, command, onToggle } = props;
  const t = useMessages();
  return (
    <div className={`log-row ${command === undefined ? '' : 'command'} ${look}`}>
      <span className="line-number" title={t.linkToLine} onClick={(event) => onChoose(event, line)}>
        {line + 1}
      </span>
      {time !== undefined && (
        <span className="log-time" title={timeTitle}>
          {time}
        </span>
      )}
      {command !== undefined && onToggle ? (
        <Header {...props} command={command} onToggle={onToggle} />
      ) : (
        <Text {...props} text={text ?? ''} />
      )}
    </div>
  );
});

type HeaderProps = LogRowProps & Required<Pick<LogRowProps, 'command' | 'onToggle'>>;

function Header({ text = '', command, isOpen, hidden, tookMs, onToggle }: HeaderProps) {
  const t = useMessages();
  return (
    <button
      type="button"
      className="log-text"
      aria-expanded={isOpen === true}
      onClick={() => onToggle(command, isOpen === true)}
    >
      {hidden === 0 ? <span className="log-no-fold" /> : <Icon name="chevron" size={10} />}
      <span>{plainText(text.slice(0, 2_000)).slice(2)}</span>
      {!isOpen && hidden !== undefined && hidden > 0 && <em>{t.lines({ count: hidden })}</em>}
      {tookMs !== undefined && <em className="number">{formatDuration(tookMs)}</em>}
    </button>
  );
}

function Text({ text, sizeBytes, rawUrl }: Pick<LogRowProps, 'sizeBytes' | 'rawUrl'> & { text: string }) {
  const t = useMessages();
  const isCut = text.length > shownCharacters;
  return (
    <span className="log-text">
      {segments(isCut ? ends(text) : text).map((part, i) =>
        part.href !== undefined ? (
          <a key={i} href={part.href} rel="noreferrer noopener nofollow" target="_blank" className={part.className}>
            {part.text}
          </a>
        ) : part.className === '' && part.color === undefined ? (
          part.text
        ) : (
          <span key={i} className={part.className} style={part.color === undefined ? undefined : { color: part.color }}>
            {part.text}
          </span>
        ),
      )}
      {isCut && (
        <a href={rawUrl} target="_blank" rel="noreferrer" className="log-cut">
          {t.lineCut({ size: formatBytes(sizeBytes) })}
        </a>
      )}
    </span>
  );
}

/** Of a very long line its beginning; of one that rewrote itself (a progress bar) its end, which is what stands there. */
function ends(text: string): string {
  const rewritten = text.lastIndexOf('\r', text.length - 2);
  return rewritten < 0 ? text.slice(0, shownCharacters) : text.slice(rewritten + 1).slice(0, shownCharacters);
}
