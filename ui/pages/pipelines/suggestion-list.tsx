import { useMessages } from '../../language.ts';
import type { Suggestion } from './suggest-keys.ts';

export const suggestionListId = 'editor-suggestions';
export const suggestionId = (index: number): string => `${suggestionListId}-${index}`;

/** So many at once, around the selected one: a list that scrolls would need the focus, which stays in the field. */
const shownCount = 7;

interface Props {
  readonly items: readonly Suggestion[];
  readonly selected: number;
  readonly topPx: number;
  readonly leftPx: number;
  readonly onTake: (item: Suggestion) => void;
}

/** What may stand at the cursor, below it. The cursor stays in the field, which names the selected one to screen readers. */
export function SuggestionList({ items, selected, topPx, leftPx, onTake }: Props) {
  const t = useMessages();
  const description = items[selected]?.description;
  const first = Math.max(0, Math.min(selected - Math.floor(shownCount / 2), items.length - shownCount));
  return (
    <div className="suggestions" style={{ top: topPx, left: leftPx }}>
      <ul role="listbox" id={suggestionListId} aria-label={t.suggestions}>
        {items.slice(first, first + shownCount).map((item, offset) => (
          <li
            key={item.label}
            id={suggestionId(first + offset)}
            role="option"
            aria-selected={first + offset === selected}
            aria-posinset={first + offset + 1}
            aria-setsize={items.length}
            // Before the field would lose the focus.
            onMouseDown={(event) => {
              event.preventDefault();
              onTake(item);
            }}
          >
            <code>{item.label}</code>
            <span className="quiet">{t.suggestionKind[item.kind]}</span>
          </li>
        ))}
      </ul>
      {description !== undefined && (
        <p>
          <bdi>{description.replaceAll('`', '')}</bdi>
        </p>
      )}
    </div>
  );
}
