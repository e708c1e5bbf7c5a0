import { useEffect, useRef } from 'react';
import type { TraceView } from '../../../src/api/pipelines.ts';
import { useMessages } from '../../language.ts';
import { Segmented } from '../../parts/field.tsx';
import { Link, useSearch } from '../../router.tsx';
import { groupTrace, type StepGroup } from './group-trace.ts';
import { TraceList } from './trace-list.tsx';

/** What `?of=` says of a step in the tab of decisions. */
export function decisionsOf(workflow: string, step: string): string {
  return `${workflow}/${step}`;
}

/**
 * Decisions with the rules that made them and the values that these saw. `?only=skipped` leaves out what ran, and
 * `?of=workflow/step` goes to one step: both are part of the address.
 */
export function TraceGroups({ entries }: { entries: readonly TraceView[] }) {
  const t = useMessages();
  const [search, setSearch] = useSearch();
  const only = search.get('only') === 'skipped' ? 'skipped' : 'all';
  const wanted = search.get('of');
  const isShown = ({ verdict }: TraceView): boolean => only === 'all' || (verdict !== 'ran' && verdict !== 'noted');
  const { event, workflows } = groupTrace(entries.filter(isShown));
  const isEmpty = event.length === 0 && workflows.length === 0;
  return (
    <>
      <div className="inspect-bar">
        <Segmented
          label={t.decisions}
          value={only}
          onChange={(next) => setSearch({ only: next === 'all' ? undefined : next })}
          options={[
            { value: 'all', label: t.allDecisions },
            { value: 'skipped', label: t.skippedOnly },
          ]}
        />
      </div>
      {isEmpty && <p className="inspect-bar quiet">{t.nothingSkipped}</p>}
      {event.length > 0 && (
        <section className="trace-group">
          <h2>{t.eventAndFile}</h2>
          <TraceList entries={event} hasValues />
        </section>
      )}
      {workflows.map(({ workflow, entries: own, steps }) => (
        <section key={workflow} className="trace-group">
          <h2>
            {t.workflow} <bdi>{workflow}</bdi>
          </h2>
          {own.length > 0 && <TraceList entries={own} hasValues />}
          {steps.map((group) => (
            <StepDecisions
              key={group.step}
              group={group}
              workflow={workflow}
              isWanted={wanted === decisionsOf(workflow, group.step)}
            />
          ))}
        </section>
      ))}
    </>
  );
}

function StepDecisions({ workflow, group, isWanted }: { workflow: string; group: StepGroup; isWanted: boolean }) {
  const t = useMessages();
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (isWanted) place.current?.scrollIntoView({ block: 'center' });
  }, [isWanted]);
  const query = new URLSearchParams({ tab: 'why', of: decisionsOf(workflow, group.step) });
  return (
    <div ref={place} className={isWanted ? 'trace-step wanted' : 'trace-step'}>
      <h3>
        <Link to={`${location.pathname}?${query}`} title={t.linkToStep} className="link">
          <bdi>{group.step}</bdi>
        </Link>
      </h3>
      <TraceList entries={group.entries} hasValues />
    </div>
  );
}
