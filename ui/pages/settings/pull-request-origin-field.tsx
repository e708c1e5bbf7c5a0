import type { SecretView } from '../../../src/api/secrets.ts';
import { useMessages } from '../../language.ts';
import { fieldOf, RadioCards } from '../../parts/field.tsx';

type PullRequestOrigin = SecretView['pullRequests'];

const pullRequestOrigins: readonly PullRequestOrigin[] = ['none', 'project', 'forks'];

/** Which pull requests a secret or a login of a registry opens for. */
export function PullRequestOriginField({ value }: { value: PullRequestOrigin }) {
  const t = useMessages();
  return (
    <RadioCards
      legend={t.pullRequestOrigins}
      name="pullRequests"
      defaultValue={value}
      options={pullRequestOrigins.map((origin) => ({ value: origin, ...t.pullRequestOrigin[origin] }))}
    />
  );
}

/** What was chosen. */
export function originOf(form: FormData): PullRequestOrigin {
  return pullRequestOrigins.find((origin) => origin === fieldOf(form, 'pullRequests')) ?? 'none';
}
