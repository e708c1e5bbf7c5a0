/**
 * One decision and its reason, as data: shown as a sentence in the reader's language by `api/messages`.
 * A decision without a stored reason is not finished.
 */
export interface TraceEntry {
  /** What was decided about: the event, a document of the file, a workflow or a step. */
  readonly subject:
    | { readonly kind: 'event' | 'file' }
    | { readonly kind: 'workflow'; readonly workflow: string }
    | { readonly kind: 'step'; readonly workflow: string; readonly step: string };
  /** Which rule: a key of `traceRules`. */
  readonly rule: TraceRule;
  readonly verdict: 'ran' | 'skipped' | 'waiting' | 'blocked' | 'failed' | 'noted';
  /** The values that the rule saw: pattern, value, line … */
  readonly values: Readonly<Record<string, string | number | boolean>>;
}

/** Every rule that can decide, with the values it names. The UI and the CLI have a sentence for each. */
export const traceRules = [
  'file.chosen', // path
  'file.other-ignored', // path, chosen
  'file.missing', // looked
  'file.too-large', // path, bytes, limit
  'file.invalid', // path, line, column, message, code of lint, within (place in an included file)
  'file.timeout', // path, limitMs
  'file.warning', // path, line, message, code of lint, within (place in an included file)
  'event.deleted-ref', // ref
  'event.skip-marker', // marker
  'event.nothing-matched', // path
  'event.paths-since', // pipeline, branch, commit
  'event.paths-again', // pipeline, branch, commit
  'event.paths-all', // branch
  'event.archived', //
  'event.switched-off', // event
  'event.branch-missing', // branch, cron
  'event.push-option', // option
  'event.webhook', // webhook
  'event.pull-request', // number, action, source, branch, target
  'event.fork-ignored', // source
  'event.target-file', // branch, commit
  'event.untrusted', // by, reason
  'event.parameters-default', // parameters
  'event.repeats', // number, by, parameters
  'trigger.matched', //
  'trigger.event', // pattern, value
  'trigger.branch', // pattern, value
  'trigger.ref', // pattern, value
  'trigger.repo', // pattern, value
  'trigger.other', // key, pattern, value
  'trigger.status', // value
  'step.matched', //
  'step.native-build', // image
  'step.when.event', // pattern, value
  'step.when.branch', // pattern, value
  'step.when.ref', // pattern, value
  'step.when.repo', // pattern, value
  'step.when.other', // key, pattern, value
  'step.when.status', // wanted, actual
  'workflow.waits-for', // workflow
  'workflow.nothing-to-do', //
  'workflow.dependency-failed', // workflow, status
  'workflow.dependency-vanished', // workflow
  'workflow.no-runner', // type
  'workflow.waits-for-runner', // wanted
  'workflow.no-runtime', // runtime, reason, offered, why
  'workflow.unavailable', // wanted, waitedMs
  'workflow.waits-for-slot', // running, limit, ahead
  'workflow.waits-for-concurrency', // group, running, limit, by
  'workflow.waits-for-silent-runner', // runner, silentMs, leaseMs
  'workflow.claimed', // runner
  'workflow.runner-lost', // runner
  'workflow.requeued', // runner
  'workflow.stale-refused', // runner, token, current
  'workflow.superseded', // number, ref
  'workflow.pipeline-timed-out', // timeoutMs
  'workflow.cancelled-by-step', // workflow, step
  'workflow.cancelled-finally', // by
  'workflow.retry-not-for-event', // event
  'step.after-failure', // step
  'step.workflow-lost', // step
  'step.cancelled', // by
  'step.cancelled-by-step', // step
  'step.pipeline-timed-out', // timeoutMs
  'workflow.cancelling', // by
  'workflow.service-silent', // step, ports, limitMs
  'step.timed-out', // timeoutMs
  'step.secret-missing', // secret
  'step.secret-refused', // secret, limit, value
  'registry.login-refused', // registry, limit, value
  'cache.off', // by
  'cache.restored', // key, from, number
  'cache.missed', // key
  'cache.missed-nearest', // key, nearest
  'cache.missed-image', // key, number
  'reuse.off', // by
  'reuse.taken', // number, workflow, step, stepId
  'reuse.no-checkout', //
  'reuse.artifacts-gone', // artifacts
  'reuse.missed-first', //
  'reuse.missed-changed', // part, number
  'reuse.missed-gone', //
  'reuse.missed-upstream', // step
  'reuse.missed-rerun', //
  'reuse.missed-image', // image
  'reuse.missed-runtime', // runtime
  'step.early-success', // step, exitCode
  'step.nothing-beside', //
  'step.dismissed', //
  'service.not-ready', // ports, limitMs
  'service.ended-early', //
  'runtime.chosen', // runtime, reason
  'approval.waiting', // reason, by, role
  'approval.given', // by, secrets
  'approval.known', // by, number, secrets
  'approval.declined', // by
  'approval.overtaken', // number
  'signature.valid', // path
  'signature.missing', // path
  'signature.wrong', // path
  'pipeline.rerun', // by, what, again, kept
  'pipeline.retried', // again, attempt, step, message
] as const;

export type TraceRule = (typeof traceRules)[number];
