import type { IncludedPlaceView } from '../../../src/api/pipelines.ts';
import { useMessages } from '../../language.ts';

/** A place in a file that another one includes: its line with a caret, and each include on the way. */
export function IncludedPlace({ path, place }: { readonly path: string; readonly place: IncludedPlaceView }) {
  const t = useMessages();
  const before = place.text.slice(0, place.column - 1);
  return (
    <div className="included-place">
      <pre tabIndex={0} role="group" aria-label={`${place.path}:${place.line}`}>
        {place.text}
        {'\n'}
        <span className="unseen">{before}</span>^
      </pre>
      <p className="quiet">
        {t.includedBy}{' '}
        <bdi className="mono">{place.chain.map((step) => `${step.path ?? path}:${step.line}`).join(' → ')}</bdi>
      </p>
    </div>
  );
}
