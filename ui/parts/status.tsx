import type { ReactNode } from 'react';
import type { PipelineView, StepView, WorkflowView } from '../../src/api/pipelines.ts';
import { useMessages } from '../language.ts';

export type Status = StepView['status'] | WorkflowView['status'] | PipelineView['status'];

/** Statuses that look alike share a shape; each shape is told apart without its colour. */
type Shape = 'passed' | 'failed' | 'running' | 'queued' | 'blocked' | 'warned' | 'cancelled' | 'skipped';
export type Tone = 'ok' | 'bad' | 'run' | 'wait' | 'warn' | 'idle';

const shapeOf: Record<Status, Shape> = {
  passed: 'passed',
  failed: 'failed',
  infrastructure: 'warned',
  running: 'running',
  starting: 'running',
  claimed: 'running',
  queued: 'queued',
  ready: 'queued',
  waiting: 'queued',
  blocked: 'blocked',
  cancelled: 'cancelled',
  skipped: 'skipped',
};

const toneOf: Record<Shape, Tone> = {
  passed: 'ok',
  failed: 'bad',
  running: 'run',
  queued: 'idle',
  blocked: 'wait',
  warned: 'warn',
  cancelled: 'idle',
  skipped: 'idle',
};

export const statusTone = (status: Status): Tone => toneOf[shapeOf[status]];

export function isFinal(status: Status): boolean {
  return ['passed', 'failed', 'cancelled', 'skipped', 'infrastructure'].includes(status);
}

export const isBad = (status: Status): boolean => status === 'failed' || status === 'infrastructure';

const stroke = {
  stroke: 'currentColor',
  strokeWidth: 1.8,
  fill: 'none',
  strokeLinecap: 'round',
  strokeLinejoin: 'round',
} as const;
const ring = <circle cx="8" cy="8" r="6.2" stroke="currentColor" strokeWidth="1.5" fill="none" />;

const drawings: Record<Shape, ReactNode> = {
  passed: (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" opacity=".16" />
      <path d="M4.8 8.3l2.2 2.2 4.3-4.7" {...stroke} />
    </>
  ),
  failed: (
    <>
      <rect x="1" y="1" width="14" height="14" rx="4" fill="currentColor" />
      <path d="M5.3 5.3l5.4 5.4M10.7 5.3l-5.4 5.4" {...stroke} stroke="var(--bg)" />
    </>
  ),
  running: (
    <g className="spin">
      <circle cx="8" cy="8" r="6.2" {...stroke} opacity=".25" />
      <path d="M8 1.8a6.2 6.2 0 0 1 6.2 6.2" {...stroke} />
    </g>
  ),
  queued: (
    <>
      <circle cx="8" cy="8" r="6.2" {...stroke} strokeWidth="1.5" strokeDasharray="2.6 2.2" />
      <path d="M8 4.8V8l2 1.4" {...stroke} strokeWidth="1.5" />
    </>
  ),
  blocked: (
    <>
      <path d="M8 1.2l6.8 6.8L8 14.8 1.2 8z" fill="currentColor" opacity=".18" />
      <path d="M6.4 5.6v4.8M9.6 5.6v4.8" {...stroke} />
    </>
  ),
  warned: (
    <>
      <path d="M8 1.6l6.6 12H1.4z" fill="currentColor" opacity=".18" />
      <path d="M8 5.6v4M8 11.7v.2" {...stroke} />
    </>
  ),
  cancelled: (
    <>
      {ring}
      <path d="M3.8 12.2l8.4-8.4" {...stroke} strokeWidth="1.5" />
    </>
  ),
  skipped: (
    <>
      {ring}
      <path d="M5 5.4l3 2.6-3 2.6M10.6 5.4v5.2" {...stroke} strokeWidth="1.5" />
    </>
  ),
};

export function StatusIcon({ status, size = 16 }: { status: Status; size?: number }) {
  const shape = shapeOf[status];
  return (
    <svg className={`icon ${toneOf[shape]}`} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      {drawings[shape]}
    </svg>
  );
}

/** `bare` keeps the word for screen readers only; `pill` puts it on the tint. */
export function StatusMark({ status, pill, bare }: { status: Status; pill?: boolean; bare?: boolean }) {
  const t = useMessages();
  return (
    <span className={`status ${statusTone(status)}${pill ? ' pill' : ''}`}>
      <StatusIcon status={status} />
      <span className={bare ? 'hidden-text' : undefined}>{t.status[status]}</span>
    </span>
  );
}
