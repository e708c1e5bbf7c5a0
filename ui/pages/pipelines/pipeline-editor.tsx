import { type KeyboardEvent, type Ref, useMemo } from 'react';
import type { FindingView } from '../../../src/api/inspection.ts';
import { useMessages } from '../../language.ts';
import { codePaddingPx, lineHeightPx } from './code-lines.tsx';

interface PipelineEditorProps {
  readonly path: string;
  readonly text: string;
  readonly findings: readonly FindingView[];
  readonly onChange: (text: string) => void;
  readonly area: Ref<HTMLTextAreaElement>;
}

/**
 * A plain text field beside its line numbers, as high as its text, so that both scroll as one; lines with findings are
 * marked behind it. The browser's own editing, undo, spell of input methods and find stay as they are.
 */
export function PipelineEditor({ path, text, findings, onChange, area }: PipelineEditorProps) {
  const t = useMessages();
  const count = text.split('\n').length;
  const numbers = useMemo(() => Array.from({ length: count }, (_, i) => i + 1).join('\n'), [count]);
  const marked = new Map<number, FindingView['severity']>();
  for (const { line, severity } of findings) if (marked.get(line) !== 'error') marked.set(line, severity);
  return (
    <div className="editor">
      <div className="source editor-lines">
        {[...marked].map(([line, severity]) => (
          <div
            key={line}
            className={`source-mark ${severity}`}
            style={{ top: codePaddingPx + (line - 1) * lineHeightPx, height: lineHeightPx }}
          />
        ))}
        <pre className="source-numbers plain" aria-hidden="true">
          {numbers}
        </pre>
        <textarea
          ref={area}
          className="editor-text"
          aria-label={t.editorLabel({ path })}
          aria-describedby="editor-hint"
          wrap="off"
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          value={text}
          style={{ height: count * lineHeightPx + 2 * codePaddingPx + 16 }}
          onChange={(event) => onChange(event.target.value)}
          onKeyDown={keepIndentation}
        />
      </div>
      <small id="editor-hint" className="quiet">
        {t.editorHint}
      </small>
    </div>
  );
}

/** A new line begins where the present one does; after "key:" and "- " as everywhere, people indent themselves. */
function keepIndentation(event: KeyboardEvent<HTMLTextAreaElement>): void {
  if (event.key !== 'Enter' || event.nativeEvent.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const { value, selectionStart } = event.currentTarget;
  const lineStart = value.lastIndexOf('\n', selectionStart - 1) + 1;
  const indentation = /^ */.exec(value.slice(lineStart, selectionStart))?.[0] ?? '';
  if (indentation === '') return;
  event.preventDefault();
  // Through the browser, so that undo knows of it.
  document.execCommand('insertText', false, `\n${indentation}`);
}

/** Puts the cursor at the beginning of a line, counted from 1, and shows it. */
export function goToLine(area: HTMLTextAreaElement, line: number): void {
  const lines = area.value.split('\n');
  const offset = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  area.focus({ preventScroll: true });
  area.setSelectionRange(offset, offset + (lines[line - 1]?.length ?? 0));
  const box = area.closest('.editor-lines');
  box?.scrollTo({ top: Math.max(0, (line - 4) * lineHeightPx) });
  area.scrollLeft = 0;
}
