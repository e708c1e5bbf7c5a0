import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import type { StepView, WorkflowView } from '../../../src/api/pipelines.ts';
import { useMessages } from '../../language.ts';
import { Icon } from '../../parts/icons.tsx';
import { StatusMark } from '../../parts/status.tsx';
import { Duration } from '../../parts/time.tsx';
import { type GraphNode, type Layout, layOut, relatives } from './graph-layout.ts';
import { groupByMatrix, statusOfGroup } from './matrix-groups.ts';

interface StepNode extends GraphNode {
  readonly step: StepView;
}

interface WorkflowNode extends GraphNode {
  readonly box: Box;
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
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const outline = useMemo(
    () => layOutBoxes(boxesOf(workflows, steps.length, opened), steps),
    [workflows, steps, opened],
  );
  const toggle = (name: string): void =>
    setOpened((before) => new Set(before.has(name) ? [...before].filter((one) => one !== name) : [...before, name]));
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
        {outline.nodes.map(({ node, x, y }) =>
          node.box.isFolded ? (
            <FoldedBox
              key={node.id}
              box={node.box}
              steps={steps}
              place={{ left: x, top: y, width: node.width, height: node.height }}
              onKeyDown={moveFocus}
              onOpen={() => toggle(node.box.group)}
            />
          ) : (
            <div
              key={node.id}
              className={isSingle ? 'graph-plain' : 'graph-box'}
              style={{ left: x, top: y, width: node.width, height: node.height }}
            >
              {!isSingle && (
                <div className="graph-box-head">
                  <StatusMark status={node.box.status} bare />
                  <b>
                    <bdi>{node.box.name}</bdi>
                  </b>
                  <small>
                    <Duration
                      from={node.box.workflows[0]?.startedAt ?? null}
                      to={node.box.workflows[0]?.finishedAt ?? null}
                    />
                  </small>
                  {opened.has(node.box.group) && (
                    <button
                      type="button"
                      className="icon-button"
                      aria-label={t.foldWorkflow({ name: node.box.group })}
                      title={t.foldWorkflow({ name: node.box.group })}
                      onClick={() => toggle(node.box.group)}
                    >
                      <Icon name="cross" size={10} />
                    </button>
                  )}
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
          ),
        )}
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

/** Above this many steps a graph shows workflows, and the steps of those that one opens. */
const foldAbove = 40;

/** A workflow as it is drawn: with its steps, or folded into one node, alone or with the other sets of its matrix. */
interface Box {
  readonly name: string;
  /** What opens and folds together. */
  readonly group: string;
  readonly status: WorkflowView['status'];
  readonly workflows: readonly WorkflowView[];
  readonly isFolded: boolean;
}

function boxesOf(workflows: readonly WorkflowView[], steps: number, opened: ReadonlySet<string>): readonly Box[] {
  const isFolding = steps > foldAbove && workflows.length > 1;
  return groupByMatrix(workflows).flatMap((group): Box[] =>
    isFolding && !opened.has(group.name)
      ? [
          {
            name: group.name,
            group: group.name,
            status: statusOfGroup(group.workflows),
            workflows: group.workflows,
            isFolded: true,
          },
        ]
      : group.workflows.map((workflow) => ({
          name: workflow.name,
          group: group.name,
          status: workflow.status,
          workflows: [workflow],
          isFolded: false,
        })),
  );
}

interface FoldedBoxProps {
  readonly box: Box;
  readonly steps: readonly StepView[];
  readonly place: { readonly left: number; readonly top: number; readonly width: number; readonly height: number };
  readonly onKeyDown: (event: KeyboardEvent) => void;
  readonly onOpen: () => void;
}

/** A whole workflow as one node; of a matrix, how many of its sets have passed. */
function FoldedBox({ box, steps, place, onKeyDown, onOpen }: FoldedBoxProps) {
  const t = useMessages();
  const { name, workflows, status } = box;
  const names = new Set(workflows.map((workflow) => workflow.name));
  const count = steps.filter((step) => names.has(step.workflow)).length;
  const passed = workflows.filter((workflow) => workflow.status === 'passed').length;
  return (
    <button
      type="button"
      className={`node ${status}`}
      style={place}
      title={`${name}: ${t.stepCount({ count })}`}
      aria-expanded={false}
      onKeyDown={onKeyDown}
      onClick={onOpen}
    >
      <StatusMark status={status} bare />
      <bdi className="name">{name}</bdi>
      <em>{workflows.length > 1 ? `${passed}/${workflows.length}` : t.stepCount({ count })}</em>
    </button>
  );
}

function layOutBoxes(boxes: readonly Box[], steps: readonly StepView[]): Layout<WorkflowNode> {
  const isSingle = boxes.length === 1;
  const boxOf = new Map(boxes.flatMap((box) => box.workflows.map((workflow) => [workflow.name, box.name] as const)));
  return layOut(
    boxes.map((box): WorkflowNode => {
      const needs = new Set(
        box.workflows.flatMap(({ dependsOn }) => dependsOn.flatMap((name) => boxOf.get(name) ?? [])),
      );
      needs.delete(box.name);
      const common = { id: box.name, needs: [...needs], box };
      if (box.isFolded) return { ...common, ...nodeSize, inside: layOut<StepNode>([]) };
      const own = steps.filter((step) => step.workflow === box.name);
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
        ...common,
        width: isSingle ? inside.width : Math.max(inside.width, 150) + 2 * boxPadding,
        height: isSingle ? inside.height : Math.max(inside.height, 0) + boxHead + boxPadding,
        inside,
      };
    }),
  );
}
