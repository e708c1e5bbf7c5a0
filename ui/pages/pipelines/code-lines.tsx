import { useMemo } from 'react';
import { markBidi } from './ansi.ts';

export const lineHeightPx = 20;
/** Space above the first line. */
export const codePaddingPx = 8;

/** How many lines a text has; a line break at its end begins none. */
export function countLines(text: string): number {
  return text === '' ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

/** Text beside its line numbers, with some lines marked: two text nodes however long it is. */
export function CodeLines({ text, marks, label }: { text: string; marks: readonly number[]; label: string }) {
  const count = countLines(text);
  const numbers = useMemo(() => Array.from({ length: count }, (_, i) => i + 1).join('\n'), [count]);
  const shown = useMemo(() => markBidi(text), [text]);
  return (
    <div className="source">
      {marks.map((line) => (
        <div
          key={line}
          className="source-mark"
          style={{ top: codePaddingPx + (line - 1) * lineHeightPx, height: lineHeightPx }}
        />
      ))}
      <pre className="source-numbers plain" aria-hidden="true">
        {numbers}
      </pre>
      <pre className="source-text" tabIndex={0} role="group" aria-label={label}>
        {shown}
      </pre>
    </div>
  );
}
