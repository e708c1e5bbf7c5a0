import { useState } from 'react';
import type { PipelineSettingsView } from '../../../src/api/settings.ts';
import type { ProjectName } from '../../addresses.ts';
import { call, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { Answer, FormError } from '../../parts/answers.tsx';
import { CheckField, fieldOf, SelectField, TextArea, TextField } from '../../parts/field.tsx';
import { toast } from '../../parts/toast.tsx';
import { useMe } from '../../session.ts';
import { linesOf } from './lines.ts';
import { type ForChange, useForChange } from './use-for-change.ts';

const events = ['push', 'tag', 'pull_request', 'manual', 'promote', 'rollback', 'cron'] as const;
const supersedable = ['push', 'tag', 'pull_request', 'manual'] as const;
const trusts = ['security', 'volumes', 'network'] as const;
const unavailables = ['wait', 'skip'] as const;
const roles = ['read', 'triage', 'write', 'maintain', 'admin', 'owner'] as const;
const minuteMs = 60_000;

/** How the pipelines of a project are run, where its files do not say. */
const policies = ['never', 'outsiders', 'forks', 'all'] as const;

export function PipelineSettings({ name }: { name: ProjectName }) {
  const loaded = useForChange('getPipelineSettings', name, (options) =>
    call('getPipelineSettings', { params: name, ...options }),
  );
  return <Answer query={loaded}>{(data) => <Form key={data.etag ?? ''} name={name} loaded={data} />}</Answer>;
}

function Form({
  name,
  loaded: { value: settings, etag },
}: {
  name: ProjectName;
  loaded: ForChange<PipelineSettingsView>;
}) {
  const t = useMessages();
  const me = useMe();
  const [error, setError] = useState<unknown>();
  const [isSending, setSending] = useState(false);

  const [badRule, setBadRule] = useState<string>();

  const readRule = (line: string): readonly PipelineSettingsView['promotionRules'][number][] => {
    const found = /^(\S+)\s+(\S+)$/.exec(line);
    // Roles are written as the command line has them, or in the words of this page.
    const role = roles.find((one) => one === found?.[2] || t.role[one] === found?.[2]);
    return found?.[1] && role ? [{ target: found[1], role }] : [];
  };

  const save = async (form: FormData): Promise<void> => {
    const wrong = linesOf(form, 'promotionRules').find((line) => readRule(line).length === 0);
    setBadRule(wrong);
    if (wrong !== undefined) return;
    setSending(true);
    setError(undefined);
    try {
      const path = fieldOf(form, 'path').trim();
      const timeout = fieldOf(form, 'timeout').trim();
      await call('updatePipelineSettings', {
        params: name,
        ifMatch: etag,
        body: {
          path: path === '' ? null : path,
          disabledEvents: events.filter((event) => form.get(`on-${event}`) === null),
          supersedingEvents: supersedable.filter((event) => form.get(`cancel-${event}`) !== null),
          stepTimeoutMs: Math.round(Number(fieldOf(form, 'stepTimeout')) * minuteMs),
          timeoutMs: timeout === '' ? null : Math.round(Number(timeout) * minuteMs),
          evaluatesDronePaths: form.get('evaluatesDronePaths') !== null,
          toleratesFilteredSteps: form.get('toleratesFilteredSteps') !== null,
          ignoresCaches: form.get('ignoresCaches') !== null,
          runsBuildersAsContainers: form.get('runsBuildersAsContainers') !== null,
          pullRequestApproval: policies.find((word) => word === fieldOf(form, 'pullRequestApproval')) ?? 'outsiders',
          ignoresForks: form.get('ignoresForks') !== null,
          usesTargetFile: form.get('usesTargetFile') !== null,
          requiresSignature: form.get('requiresSignature') !== null,
          unavailable: unavailables.find((word) => word === fieldOf(form, 'unavailable')) ?? 'wait',
          // Fields that are not to be changed are not sent.
          ...(me?.isSiteAdmin
            ? {
                trusts: trusts.filter((trust) => form.get(`trust-${trust}`) !== null),
                forbidsSandbox: form.get('forbidsSandbox') !== null,
              }
            : {}),
          promotionRules: linesOf(form, 'promotionRules').flatMap(readRule),
        },
      });
      toast(t.saved);
      await refresh('getPipelineSettings', 'getProject');
    } catch (refusal) {
      setError(refusal);
    } finally {
      setSending(false);
    }
  };

  return (
    <section className="box">
      <h2>{t.settingsTab.pipelines}</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!isSending) void save(new FormData(event.currentTarget));
        }}
      >
        <TextField
          label={t.pipelineFile}
          name="path"
          className="input mono"
          maxLength={1_000}
          placeholder=".gantry.yml"
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="none"
          defaultValue={settings.path ?? ''}
          hint={t.pipelinePathHint}
        />
        <fieldset className="checks">
          <legend>{t.whichEvents}</legend>
          {events.map((event) => (
            <label key={event}>
              <input type="checkbox" name={`on-${event}`} defaultChecked={!settings.disabledEvents.includes(event)} />
              {t.eventKind[event]}
            </label>
          ))}
          <small>{t.whichEventsHint}</small>
        </fieldset>
        <fieldset className="checks">
          <legend>{t.autoCancel}</legend>
          {supersedable.map((event) => (
            <label key={event}>
              <input
                type="checkbox"
                name={`cancel-${event}`}
                defaultChecked={settings.supersedingEvents.includes(event)}
              />
              {t.eventKind[event]}
            </label>
          ))}
          <small>{t.autoCancelHint}</small>
        </fieldset>
        <TextField
          label={t.stepTimeout}
          name="stepTimeout"
          type="number"
          min={1}
          max={1_440}
          step="any"
          required
          defaultValue={settings.stepTimeoutMs / minuteMs}
          hint={t.stepTimeoutHint}
        />
        <TextField
          label={t.pipelineTimeout}
          name="timeout"
          type="number"
          min={1}
          max={10_080}
          step="any"
          defaultValue={settings.timeoutMs === null ? '' : settings.timeoutMs / minuteMs}
          hint={t.pipelineTimeoutHint}
        />
        <TextArea
          label={t.whoMayPromote}
          name="promotionRules"
          className="input mono"
          rows={Math.max(2, settings.promotionRules.length + 1)}
          spellCheck={false}
          placeholder="production admin"
          defaultValue={settings.promotionRules.map(({ target, role }) => `${target} ${role}`).join('\n')}
          hint={t.whoMayPromoteHint}
        />
        {badRule !== undefined && (
          <p className="form-error" role="alert">
            {t.badPromotionRule({ line: badRule })}
          </p>
        )}
        <CheckField
          label={t.evaluatesDronePaths}
          hint={t.evaluatesDronePathsHint}
          name="evaluatesDronePaths"
          defaultChecked={settings.evaluatesDronePaths}
        />
        <CheckField
          label={t.toleratesFilteredSteps}
          hint={t.toleratesFilteredStepsHint}
          name="toleratesFilteredSteps"
          defaultChecked={settings.toleratesFilteredSteps}
        />
        <CheckField
          label={t.ignoresCaches}
          hint={t.ignoresCachesHint}
          name="ignoresCaches"
          defaultChecked={settings.ignoresCaches}
        />
        <CheckField
          label={t.buildersAsContainers}
          hint={t.buildersAsContainersHint}
          name="runsBuildersAsContainers"
          defaultChecked={settings.runsBuildersAsContainers}
        />
        <SelectField
          label={t.pullRequestApproval}
          name="pullRequestApproval"
          defaultValue={settings.pullRequestApproval}
          hint={t.pullRequestApprovalHint}
        >
          {policies.map((word) => (
            <option key={word} value={word}>
              {t.approvalPolicy[word]}
            </option>
          ))}
        </SelectField>
        <CheckField
          label={t.ignoresForks}
          hint={t.ignoresForksHint}
          name="ignoresForks"
          defaultChecked={settings.ignoresForks}
        />
        <CheckField
          label={t.usesTargetFile}
          hint={t.usesTargetFileHint}
          name="usesTargetFile"
          defaultChecked={settings.usesTargetFile}
        />
        <CheckField
          label={t.requiresSignature}
          hint={t.requiresSignatureHint}
          name="requiresSignature"
          defaultChecked={settings.requiresSignature}
        />
        <SelectField
          label={t.unavailable}
          name="unavailable"
          defaultValue={settings.unavailable}
          hint={t.unavailableHint}
        >
          {unavailables.map((word) => (
            <option key={word} value={word}>
              {t.unavailableWord[word]}
            </option>
          ))}
        </SelectField>
        <fieldset className="checks" disabled={!me?.isSiteAdmin}>
          <legend>{t.hostTrust}</legend>
          {trusts.map((trust) => (
            <label key={trust}>
              <input type="checkbox" name={`trust-${trust}`} defaultChecked={settings.trusts.includes(trust)} />
              {t.hostTrustWord[trust]}
            </label>
          ))}
          <label>
            <input type="checkbox" name="forbidsSandbox" defaultChecked={settings.forbidsSandbox} />
            {t.forbidsSandbox}
          </label>
          <small>{me?.isSiteAdmin ? t.hostTrustHint : t.hostTrustOfSite}</small>
        </fieldset>
        <FormError error={error} />
        <div className="row">
          <button type="submit" className="button primary" aria-disabled={isSending}>
            {t.save}
          </button>
        </div>
      </form>
    </section>
  );
}
