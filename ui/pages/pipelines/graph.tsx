import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import type { StepView, WorkflowView } from '../../../src/api/pipelines.ts';
import { useMessages } from '../../language.ts';
import { StatusMark } from '../../parts/status.tsx';
import { Duration } from '../../parts/time.tsx';
import { type GraphNode, type Layout, layOut, relatives } from './graph-layout.ts';

interface StepNode extends GraphNode {
  readonly step: StepView;
}

interface WorkflowNode extends GraphNode {
  readonly workflow: WorkflowView;
  readonly inside: Layout<StepNode>;
}

interface Props {
  readonly workflows: readonly WorkflowView[];
  readonly steps: readonly StepView[];
  readonly selectedId: number | undefined;
  readonly onSelect: (step: StepView) => void;
}

const nodeSize = { width: 186, height: 40 };
const boxPadding = 14;
const boxHead = 32;

/** Workflows as boxes from left to right, with their steps inside; HTML buttons over lines, so that focus and arrows work. */
export function Graph({ workflows, steps, selectedId, onSelect }: Props) {
  const t = useMessages();
  const scroller = useRef<HTMLDivElement>(null);
  const [hovered, setHovered] = useState<string>();
  const outline = useMemo(() => layOutWorkflows(workflows, steps), [workflows, steps]);
  const isSingle = workflows.length === 1;
  const allSteps = outline.nodes.flatMap(({ node }) => node.inside.nodes.map((inner) => inner.node));
  const lit = useMemo(() => (hovered === undefined ? undefined : relatives(allSteps, hovered)), [hovered, allSteps]);

  useEffect(() => {
    const selected = scroller.current?.querySelector<HTMLElement>('[aria-pressed="true"]');
    const box = scroller.current;
    if (!selected || !box) return;
    const offset = selected.getBoundingClientRect().left - box.getBoundingClientRect().left;
    if (offset < 0 || offset + nodeSize.width > box.clientWidth)
      box.scrollTo({ left: box.scrollLeft + offset - (box.clientWidth - nodeSize.width) / 2 });
  }, [selectedId]);

  const moveFocus = (event: KeyboardEvent): void => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const from = centre(event.currentTarget);
    const candidates = [...(scroller.current?.querySelectorAll<HTMLElement>('.node') ?? [])].map((element) => ({
      element,
      ...centre(element),
    }));
    const isThere = ({ x, y }: { x: number; y: number }): boolean =>
      (event.key === 'ArrowRight' && x > from.x + 20) ||
      (event.key === 'ArrowLeft' && x < from.x - 20) ||
      (event.key === 'ArrowDown' && y > from.y + 10 && Math.abs(x - from.x) < 20) ||
      (event.key === 'ArrowUp' && y < from.y - 10 && Math.abs(x - from.x) < 20);
    const distance = ({ x, y }: { x: number; y: number }): number => Math.abs(x - from.x) * 2 + Math.abs(y - from.y);
    const [nearest] = candidates.filter(isThere).sort((a, b) => distance(a) - distance(b));
    if (!nearest) return;
    event.preventDefault();
    nearest.element.focus();
  };

  const isHot = (from: string, to: string): boolean =>
    lit ? lit.has(from) && lit.has(to) : [from, to].includes(String(selectedId));
  return (
    <div className="graph" role="group" tabIndex={0} aria-label={t.graph} ref={scroller}>
      <div className="graph-inner" style={{ width: outline.width, height: outline.height }}>
        <Edges layout={outline} isHot={() => false} />
        {outline.nodes.map(({ node, x, y }) => (
          <div
            key={node.id}
            className={isSingle ? 'graph-plain' : 'graph-box'}
            style={{ left: x, top: y, width: node.width, height: node.height }}
          >
            {!isSingle && (
              <div className="graph-box-head">
                <StatusMark status={node.workflow.status} bare />
                <b>
                  <bdi>{node.workflow.name}</bdi>
                </b>
                <small>
                  <Duration from={node.workflow.startedAt} to={node.workflow.finishedAt} />
                </small>
              </div>
            )}
            <div
              className="graph-inner"
              style={{
                width: node.inside.width,
                height: node.inside.height,
                ...(!isSingle && { left: boxPadding, top: boxHead }),
              }}
            >
              <Edges layout={node.inside} isHot={isHot} />
              {node.inside.nodes.map((inner) => {
                const { step } = inner.node;
                return (
                  <button
                    type="button"
                    key={inner.node.id}
                    className={`node ${step.status}${lit && !lit.has(inner.node.id) ? ' faded' : ''}`}
                    style={{ left: inner.x, top: inner.y, ...nodeSize }}
                    aria-pressed={step.id === selectedId}
                    title={step.name}
                    onKeyDown={moveFocus}
                    onClick={() => onSelect(step)}
                    onMouseEnter={() => setHovered(inner.node.id)}
                    onMouseLeave={() => setHovered(undefined)}
                  >
                    <StatusMark status={step.status} bare />
                    <bdi className="name">{step.name}</bdi>
                    <em>
                      <Duration from={step.startedAt} to={step.finishedAt} />
                    </em>
                  </button>
                );
              })}
            </div>
          </div>
        ))}
      </div>
    </div>
  );
}

function Edges({ layout, isHot }: { layout: Layout<GraphNode>; isHot: (from: string, to: string) => boolean }) {
  return (
    <svg width={layout.width} height={layout.height} aria-hidden="true">
      {layout.edges.map(({ from, to, path }) => (
        <path key={`${from} ${to}`} d={path} className={isHot(from, to) ? 'hot' : undefined} />
      ))}
    </svg>
  );
}

function centre(element: Element): { x: number; y: number } {
  const box = element.getBoundingClientRect();
  return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
}

function layOutWorkflows(workflows: readonly WorkflowView[], steps: readonly StepView[]): Layout<WorkflowNode> {
  const isSingle = workflows.length === 1;
  const names = new Set(workflows.map(({ name }) => name));
  return layOut(
    workflows.map((workflow): WorkflowNode => {
      const own = steps.filter((step) => step.workflow === workflow.name);
      const idOf = new Map(own.map((step) => [step.name, String(step.id)]));
      const inside = layOut(
        own.map(
          (step): StepNode => ({
            id: String(step.id),
            needs: step.dependsOn.flatMap((name) => idOf.get(name) ?? []),
            ...nodeSize,
            step,
          }),
        ),
      );
      return {
        id: workflow.name,
        needs: workflow.dependsOn.filter((name) => names.has(name)),
        width: isSingle ? inside.width : Math.max(inside.width, 150) + 2 * boxPadding,
        height: isSingle ? inside.height : Math.max(inside.height, 0) + boxHead + boxPadding,
        workflow,
        inside,
      };
    }),
  );
}
