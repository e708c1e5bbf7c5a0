import type { ReuseReport } from '../../core/step-reuse.ts';
import type { TraceEntry } from '../../core/trace.ts';

/** What became of a step that may be reused, as the record has it. */
export function reuseEntry(subject: TraceEntry['subject'], report: ReuseReport): TraceEntry {
  if (report.result === 'reused') {
    const { pipeline, workflow, step, stepId } = report.from;
    return { subject, rule: 'reuse.taken', verdict: 'ran', values: { number: pipeline, workflow, step, stepId } };
  }
  const { miss } = report;
  const told = (rule: TraceEntry['rule'], values: TraceEntry['values'] = {}): TraceEntry => ({
    subject,
    rule,
    verdict: 'noted',
    values,
  });
  switch (miss.kind) {
    case 'first':
      return told('reuse.missed-first');
    case 'changed':
      return told('reuse.missed-changed', { part: miss.part.slice(0, longestPart), number: miss.pipeline });
    case 'gone':
      return told('reuse.missed-gone');
    case 'upstream':
      return told('reuse.missed-upstream', { step: miss.step });
    case 'rerun':
      return told('reuse.missed-rerun');
    case 'image':
      return told('reuse.missed-image', { image: miss.image });
    case 'runtime':
      return told('reuse.missed-runtime', { runtime: miss.runtime });
  }
}

const longestPart = 600;
