import type { ReuseMiss, ReuseReport } from '../core/step-reuse.ts';
import type { StepResultEvent } from '../drivers/runtime/runtime.ts';
import { runOf } from './cache-line.ts';

/** What was decided about reusing a step, as a line of its log. */
export function reuseLine(report: ReuseReport): string {
  if (report.result === 'missed') return `reuse: missed: ${reasonOf(report.miss)}`;
  const { pipeline, workflow, step } = report.from;
  return `reuse: reused from ${runOf(pipeline)}, step ${step} of ${workflow}: nothing that it depends on has changed since`;
}

/** What became of its result, as a line of its log. */
export function resultLine(event: StepResultEvent): string {
  if (event.kind === 'not-kept') return `reuse: its result is not kept: ${event.why}`;
  const done = event.kind === 'kept' ? 'kept its result' : 'put its outputs back';
  return `reuse: ${done}, ${sizeText(event.sizeBytes)} in ${Math.max(1, Math.round(event.elapsedMs))} ms`;
}

function reasonOf(miss: ReuseMiss): string {
  switch (miss.kind) {
    case 'first':
      return 'no result is kept of it that this branch may take';
    case 'changed':
      return `${miss.part} is not what it was in ${runOf(miss.pipeline)}`;
    case 'gone':
      return 'the result that was kept of it is gone';
    case 'upstream':
      return `it starts from what step ${miss.step} leaves, and nothing tells what that is`;
    case 'rerun':
      return 'it was run again on purpose';
    case 'image':
      return `nobody could tell what the image ${miss.image} is now`;
    case 'runtime':
      return `the runtime ${miss.runtime} keeps no results${miss.why === undefined ? '' : `: ${miss.why}`}`;
  }
}

function sizeText(bytes: number): string {
  return bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${Math.round(bytes / 2 ** 20)} MiB`;
}
