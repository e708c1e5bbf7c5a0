import { registryOf } from '../../core/image-rule.ts';
import type { PipelinePlan, StepPlan } from '../../core/plan.ts';
import type { LimitedLogin, LimitedSecret, PipelineUse } from '../../core/secret-vault.ts';
import type { TraceEntry } from '../../core/trace.ts';
import { refusalOfOrigin, refusalToPipeline, refusalToStep } from '../../engine/secret-limits.ts';

/** What a pipeline may know of the secrets of its project, without their values. */
export interface SecretFacts {
  readonly secrets: readonly LimitedSecret[];
  readonly use: PipelineUse;
  /** Names of those whose values stand encrypted in the file, and open. */
  readonly encrypted?: ReadonlySet<string>;
}

/** Why a step is not given a secret that it names: there is none, or its limits say so; `undefined` when it is given. */
export function secretRefusal(
  step: Pick<StepPlan, 'image' | 'isPlugin'>,
  secret: string,
  { secrets, use, encrypted }: SecretFacts,
): Pick<TraceEntry, 'rule' | 'values'> | undefined {
  // Of a stored one that the step may not have the value in the file takes the place, as in Drone.
  if (encrypted?.has(secret))
    return use.isUntrusted
      ? { rule: 'step.secret-refused', values: { secret, limit: 'trust', value: use.event } }
      : undefined;
  const found = secrets.find(({ name }) => name === secret);
  if (!found) return { rule: 'step.secret-missing', values: { secret } };
  const refusal =
    refusalToPipeline(found, use) ?? refusalToStep(found, { image: step.image, isPlugin: step.isPlugin === true });
  return refusal && { rule: 'step.secret-refused', values: { secret, ...refusal } };
}

/** What the limits of secrets keep from the steps of a plan: those that are missing the compiler has told of. */
export function traceRefusedSecrets(plan: PipelinePlan, given: SecretFacts): readonly TraceEntry[] {
  const { workflows, encryptedSecrets = [] } = plan;
  const facts = { ...given, encrypted: new Set(encryptedSecrets.map(({ name }) => name)) };
  const trace: TraceEntry[] = [];
  for (const workflow of workflows) {
    for (const step of workflow.steps) {
      if (step.skipped) continue;
      const subject = { kind: 'step', workflow: workflow.name, step: step.name } as const;
      for (const secret of new Set(step.secrets.map((reference) => reference.secret))) {
        const refusal = secretRefusal(step, secret, facts);
        if (refusal?.rule !== 'step.secret-refused') continue;
        if (wouldBeGiven(step, secret, facts)) {
          trace.push({ subject, verdict: 'noted', ...refusal, values: { ...refusal.values, limit: 'approval' } });
          continue;
        }
        const isRequired = step.secrets.some((reference) => reference.secret === secret && reference.isRequired);
        trace.push({ subject, verdict: isRequired ? 'failed' : 'noted', ...refusal });
      }
    }
  }
  return trace;
}

/** Whether nothing but the trust in who brought the work keeps the secret back: an approval with secrets gives it. */
function wouldBeGiven(step: StepPlan, secret: string, facts: SecretFacts): boolean {
  const use = { ...facts.use, isUntrusted: false };
  return facts.use.isUntrusted === true && secretRefusal(step, secret, { ...facts, use }) === undefined;
}

/** Which logins of registries are kept from a pipeline whose steps have images there: such an image may not be pulled. */
export function traceRefusedLogins(
  { workflows }: PipelinePlan,
  logins: readonly LimitedLogin[],
  use: PipelineUse,
): readonly TraceEntry[] {
  return logins.flatMap(({ registry, pullRequests }): readonly TraceEntry[] => {
    const refusal = refusalOfOrigin(pullRequests, use);
    if (!refusal) return [];
    const using = workflows.filter(({ steps }) =>
      steps.some(({ image, skipped }) => !skipped && image !== '' && registryOf(image) === registry),
    );
    return using.map(({ name }) => ({
      subject: { kind: 'workflow', workflow: name },
      rule: 'registry.login-refused',
      verdict: 'noted',
      values: { registry, ...refusal },
    }));
  });
}
