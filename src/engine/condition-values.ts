import type { CompileInput } from './compile-input.ts';
import type { ConditionFacts } from './conditions.ts';
import type { DialectRules } from './dialect-rules.ts';
import { platformOf } from './environment-facts.ts';
import { instanceAddress } from './instance-address.ts';

/**
 * Words for what happened. The end of a pull request is an event of its own in Woodpecker, and an action in Drone, whose
 * files would not have been run by it at all.
 */
export function eventWordsOf(
  { kind, pullRequest }: Pick<CompileInput['event'], 'kind' | 'pullRequest'>,
  { dialect, eventWords }: DialectRules,
): readonly [string, ...string[]] {
  if (kind !== 'pull_request' || pullRequest?.action !== 'closed') return eventWords[kind];
  return dialect === 'woodpecker' ? ['pull_request_closed'] : ['pull_request_closed', ...eventWords[kind]];
}

/** What `when` and `trigger` compare with. A push has no action, target or schedule: their value is empty. */
export function conditionValues(
  input: Pick<CompileInput, 'event' | 'project' | 'instanceUrl' | 'architecture' | 'pipeline' | 'variables'>,
  rules: DialectRules,
): ConditionFacts['values'] {
  const { event, project, instanceUrl } = input;
  const isWoodpecker = rules.dialect === 'woodpecker';
  const values: { -readonly [Key in keyof ConditionFacts['values']]: ConditionFacts['values'][Key] } = {
    event: eventWordsOf(event, rules),
    action: [event.pullRequest?.action ?? ''],
    ref: [event.ref],
    repo: [`${project.owner}/${project.name}`],
    instance: [instanceAddress(instanceUrl).host],
    platform: [platformOf(input)],
    target: [event.target ?? ''],
  };
  if (!isWoodpecker || event.kind !== 'tag') values.branch = [event.branch];
  if (!isWoodpecker || event.kind === 'cron') values.cron = [event.schedule ?? ''];
  return values;
}
