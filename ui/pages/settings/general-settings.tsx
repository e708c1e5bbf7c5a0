import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ProjectView } from '../../../src/api/projects.ts';
import { type ProjectName, settingsAddress } from '../../addresses.ts';
import { ask, call, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { Answer, FormError } from '../../parts/answers.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { fieldOf, RadioCards, SelectField, TextArea, TextField } from '../../parts/field.tsx';
import { toast } from '../../parts/toast.tsx';
import { go } from '../../router.tsx';
import { type ForChange, useForChange } from './use-for-change.ts';

type Change = Parameters<typeof call<'updateProject'>>[1]['body'];

export function GeneralSettings({ name }: { name: ProjectName }) {
  const loaded = useForChange('getProject', name, (options) => call('getProject', { params: name, ...options }));
  return <Answer query={loaded}>{(data) => <Form key={data.etag ?? ''} name={name} loaded={data} />}</Answer>;
}

function Form({ name, loaded: { value: project, etag } }: { name: ProjectName; loaded: ForChange<ProjectView> }) {
  const t = useMessages();
  const [error, setError] = useState<unknown>();
  const [isSending, setSending] = useState(false);
  const [dialog, setDialog] = useState<'rename' | 'archive'>();
  const refs = useQuery(ask('listRefs', { params: name }));

  const change = async (body: Change): Promise<ProjectView> => {
    const changed = await call('updateProject', { params: name, body, ifMatch: etag });
    toast(t.saved);
    if (changed.name === name.project) await refresh('getProject', 'listProjects');
    return changed;
  };

  const save = async (form: FormData): Promise<void> => {
    setSending(true);
    setError(undefined);
    try {
      await change({
        description: fieldOf(form, 'description').trim(),
        visibility: fieldOf(form, 'visibility') as ProjectView['visibility'],
        defaultBranch: fieldOf(form, 'defaultBranch'),
        protectedRefs: fieldOf(form, 'protectedRefs')
          .split('\n')
          .map((line) => line.trim())
          .filter((line) => line !== ''),
      });
    } catch (refusal) {
      setError(refusal);
    } finally {
      setSending(false);
    }
  };

  const branches = new Set([
    project.defaultBranch,
    ...(refs.data?.items.filter(({ kind }) => kind === 'branch').map((ref) => ref.name) ?? []),
  ]);
  return (
    <>
      <section className="box">
        <h2>{t.settingsTab.general}</h2>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (!isSending) void save(new FormData(event.currentTarget));
          }}
        >
          <TextField label={t.description} name="description" defaultValue={project.description} maxLength={500} />
          <RadioCards
            legend={t.whoMaySee}
            name="visibility"
            defaultValue={project.visibility}
            options={(['private', 'internal', 'public'] as const).map((value) => ({
              value,
              label: t.visibility[value],
              hint: t.visibilityHint[value],
            }))}
          />
          <SelectField label={t.defaultBranch} name="defaultBranch" defaultValue={project.defaultBranch}>
            {[...branches].map((branch) => (
              <option key={branch}>{branch}</option>
            ))}
          </SelectField>
          <TextArea
            label={t.protectedRefs}
            name="protectedRefs"
            className="input mono"
            rows={Math.max(2, project.protectedRefs.length + 1)}
            defaultValue={project.protectedRefs.join('\n')}
            hint={t.protectedRefsHint}
            spellCheck={false}
          />
          <FormError error={error} />
          <div className="row">
            <button type="submit" className="button primary" aria-disabled={isSending}>
              {t.save}
            </button>
          </div>
        </form>
      </section>
      <section className="box danger-zone">
        <h2>{t.dangerZone}</h2>
        <div className="setting">
          <div>
            <b>{t.rename}</b>
            <small className="quiet block">{t.renameHint}</small>
          </div>
          <button type="button" className="button danger" onClick={() => setDialog('rename')}>
            {t.rename}…
          </button>
        </div>
        <div className="setting">
          <div>
            <b>{project.isArchived ? t.unarchive : t.archive}</b>
            <small className="quiet block">{project.isArchived ? t.unarchiveHint : t.archiveHint}</small>
          </div>
          <button type="button" className="button danger" onClick={() => setDialog('archive')}>
            {project.isArchived ? t.unarchive : t.archive}…
          </button>
        </div>
      </section>
      {dialog === 'rename' && (
        <FormDialog
          title={t.renameProject({ name: project.slug })}
          description={t.renameHint}
          action={t.rename}
          isDangerous
          onClose={() => setDialog(undefined)}
          onSubmit={async (form) => {
            const changed = await change({ name: fieldOf(form, 'name').trim() });
            await refresh('listProjects');
            go(settingsAddress({ owner: changed.owner, project: changed.name }), { replace: true });
          }}
        >
          <TextField
            label={t.newName}
            name="name"
            required
            autoFocus
            maxLength={63}
            defaultValue={project.name}
            pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
            title={t.nameRule}
            autoComplete="off"
          />
        </FormDialog>
      )}
      {dialog === 'archive' && (
        <FormDialog
          title={
            project.isArchived ? t.unarchiveProject({ name: project.slug }) : t.archiveProject({ name: project.slug })
          }
          description={project.isArchived ? t.unarchiveHint : t.archiveHint}
          action={project.isArchived ? t.unarchive : t.archive}
          isDangerous={!project.isArchived}
          onClose={() => setDialog(undefined)}
          onSubmit={async () => {
            await change({ isArchived: !project.isArchived });
          }}
        />
      )}
    </>
  );
}
