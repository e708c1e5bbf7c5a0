import { useQuery } from '@tanstack/react-query';
import { type KeyboardEvent, type RefObject, useMemo, useState } from 'react';
import type { FindingView } from '../../../src/api/inspection.ts';
import { ask } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { codePaddingPx, lineHeightPx } from './code-lines.tsx';
import { type EditorSchema, type Suggestion, type Suggestions, suggestAt } from './suggest-keys.ts';
import { SuggestionList, suggestionId, suggestionListId } from './suggestion-list.tsx';

interface PipelineEditorProps {
  readonly path: string;
  readonly text: string;
  readonly findings: readonly FindingView[];
  readonly onChange: (text: string) => void;
  readonly area: RefObject<HTMLTextAreaElement | null>;
}

interface Shown extends Suggestions {
  readonly selected: number;
  readonly topPx: number;
  readonly leftPx: number;
}

/**
 * A plain text field beside its line numbers, as high as its text, so that both scroll as one; lines with findings are
 * marked behind it. The browser's own editing, undo, spell of input methods and find stay as they are. Keys of a
 * `.gantry.yml` are suggested while they are typed and at Ctrl+Space.
 */
export function PipelineEditor({ path, text, findings, onChange, area }: PipelineEditorProps) {
  const t = useMessages();
  const count = text.split('\n').length;
  const numbers = useMemo(() => Array.from({ length: count }, (_, i) => i + 1).join('\n'), [count]);
  const marked = new Map<number, FindingView['severity']>();
  for (const { line, severity } of findings) if (marked.get(line) !== 'error') marked.set(line, severity);
  const isOurs = /(^|\/)\.gantry\.ya?ml$/.test(path);
  const schema = useQuery({ ...ask('getPipelineFileSchema'), staleTime: Number.POSITIVE_INFINITY, enabled: isOurs });
  const [shown, setShown] = useState<Shown>();

  const suggest = (field: HTMLTextAreaElement, isAsked: boolean): void => {
    const { value, selectionStart, selectionEnd } = field;
    const found =
      schema.data && selectionStart === selectionEnd
        ? suggestAt(schema.data as EditorSchema, value, selectionStart)
        : undefined;
    // Unasked, only once something is typed: an empty line alone wants nothing.
    if (!found || (!isAsked && found.from === selectionStart)) setShown(undefined);
    else setShown({ ...found, selected: 0, ...placeOf(field, found.from) });
  };
  const take = (item: Suggestion): void => {
    const field = area.current;
    if (!field || !shown) return;
    field.setSelectionRange(shown.from, field.selectionStart);
    setShown(undefined);
    // Through the browser, so that undo knows of it.
    document.execCommand('insertText', false, item.insert);
    setShown(undefined);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === ' ' && event.ctrlKey) {
      event.preventDefault();
      suggest(event.currentTarget, true);
      return;
    }
    if (!shown) {
      keepIndentation(event);
      return;
    }
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const item = shown.items[shown.selected];
    const isTaken = (event.key === 'Enter' || event.key === 'Tab') && !event.shiftKey && !event.ctrlKey;
    if (move !== undefined) {
      const selected = (shown.selected + move + shown.items.length) % shown.items.length;
      setShown({ ...shown, selected });
    } else if (event.key === 'Escape') setShown(undefined);
    else if (isTaken && item) take(item);
    else return;
    event.preventDefault();
  };

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
        <div className="editor-field">
          <textarea
            ref={area}
            className="editor-text"
            aria-label={t.editorLabel({ path })}
            aria-describedby="editor-hint"
            aria-autocomplete="list"
            aria-haspopup="listbox"
            aria-controls={shown && suggestionListId}
            aria-activedescendant={shown && suggestionId(shown.selected)}
            wrap="off"
            spellCheck={false}
            autoCapitalize="off"
            autoComplete="off"
            value={text}
            style={{ height: count * lineHeightPx + 2 * codePaddingPx + 16 }}
            onChange={(event) => {
              onChange(event.target.value);
              suggest(event.target, false);
            }}
            onKeyDown={onKeyDown}
            onClick={() => setShown(undefined)}
            onBlur={() => setShown(undefined)}
            onScroll={() => setShown(undefined)}
          />
          {shown && <SuggestionList {...shown} onTake={take} />}
        </div>
      </div>
      <small id="editor-hint" className="quiet">
        {t.editorHint}
      </small>
      <p className="hidden-text" role="status">
        {shown && t.suggestionCount({ count: shown.items.length })}
      </p>
    </div>
  );
}

/** Below the character at `offset`, measured as it is drawn: wide characters are not two columns in a browser. */
function placeOf(field: HTMLTextAreaElement, offset: number): { readonly topPx: number; readonly leftPx: number } {
  const { value } = field;
  const lineStart = value.lastIndexOf('\n', offset - 1) + 1;
  const line = value.slice(0, offset).split('\n').length;
  const style = getComputedStyle(field);
  const pen = document.createElement('canvas').getContext('2d');
  if (pen) pen.font = `${style.fontSize} ${style.fontFamily}`;
  const widthPx = pen?.measureText(value.slice(lineStart, offset)).width ?? 0;
  const leftPx = Number.parseFloat(style.paddingLeft) + widthPx - field.scrollLeft;
  // As much of the list as there is room for.
  return {
    topPx: codePaddingPx + line * lineHeightPx,
    leftPx: Math.max(0, Math.min(leftPx, field.clientWidth - 260)),
  };
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
