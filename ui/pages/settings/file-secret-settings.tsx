import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { ask, call, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { Answer } from '../../parts/answers.tsx';
import { CopyButton } from '../../parts/copy.tsx';
import { FormDialog, NoticeDialog } from '../../parts/dialog.tsx';
import { fieldOf, TextArea, TextField } from '../../parts/field.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast } from '../../parts/toast.tsx';

interface ProjectName {
  readonly owner: string;
  readonly project: string;
}

/** Secrets that stand encrypted in the pipeline file: what goes into it, and the key of the system that it comes from. */
export function FileSecretSettings({ name, mayImport }: { name: ProjectName; mayImport: boolean }) {
  const t = useMessages();
  const found = useQuery(ask('getImportedKey', { params: name }));
  const [asking, setAsking] = useState<'value' | 'key' | 'forget'>();
  const [encrypted, setEncrypted] = useState<string>();
  return (
    <section className="box flush">
      <div className="box-head">
        <h2>{t.fileSecrets}</h2>
        <span className="spacer" />
        <button type="button" className="button small" onClick={() => setAsking('value')}>
          {t.encryptValue}
        </button>
      </div>
      <p className="box-note quiet">{t.fileSecretsHint}</p>
      <Answer query={found}>
        {({ updatedAt, updatedBy }) => (
          <ul className="entries">
            <li className="entry tall">
              <Icon name="lock" />
              <div className="grow">
                <b>{t.importedKey}</b>
                <small className="quiet block">
                  {updatedAt === null ? (
                    t.noImportedKey
                  ) : (
                    <>
                      {t.updatedBy} <bdi>{updatedBy}</bdi>, <Ago at={updatedAt} />
                    </>
                  )}
                </small>
              </div>
              {mayImport && (
                <button type="button" className="button small" onClick={() => setAsking('key')}>
                  {updatedAt === null ? t.importKey : t.replaceKey}
                </button>
              )}
              {mayImport && updatedAt !== null && (
                <button type="button" className="button small danger" onClick={() => setAsking('forget')}>
                  {t.forgetKey}
                </button>
              )}
            </li>
          </ul>
        )}
      </Answer>
      {asking === 'value' && (
        <FormDialog
          title={t.encryptValue}
          description={t.encryptValueHint}
          action={t.encrypt}
          onClose={() => setAsking(undefined)}
          onSubmit={async (form) => {
            const { data } = await call('encryptValue', { params: name, body: { value: fieldOf(form, 'value') } });
            setEncrypted(`---\nkind: secret\nname: ${fieldOf(form, 'name').trim()}\ndata: ${data}\n`);
          }}
        >
          <TextField
            label={t.name}
            name="name"
            required
            autoFocus
            maxLength={100}
            pattern="[A-Za-z][A-Za-z0-9_.\-]*"
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            hint={t.secretNameHint}
          />
          <TextArea
            label={t.value}
            name="value"
            required
            rows={3}
            maxLength={65_536}
            className="input mono"
            autoComplete="off"
            spellCheck={false}
          />
        </FormDialog>
      )}
      {asking === 'key' && (
        <FormDialog
          title={t.importKey}
          description={t.importKeyHint}
          action={t.save}
          onClose={() => setAsking(undefined)}
          onSubmit={async (form) => {
            await call('setImportedKey', { params: name, body: { key: fieldOf(form, 'key') } });
            await refresh('getImportedKey');
            toast(t.keyImported);
          }}
        >
          <TextField
            label={t.importedKey}
            name="key"
            type="password"
            required
            autoFocus
            autoComplete="off"
            maxLength={256}
          />
        </FormDialog>
      )}
      {asking === 'forget' && (
        <FormDialog
          title={t.forgetKeyTitle}
          description={t.forgetKeyHint}
          action={t.forgetKey}
          isDangerous
          onClose={() => setAsking(undefined)}
          onSubmit={async () => {
            await call('removeImportedKey', { params: name });
            await refresh('getImportedKey');
            toast(t.keyForgotten);
          }}
        />
      )}
      {encrypted !== undefined && (
        <NoticeDialog title={t.encryptedTitle} onClose={() => setEncrypted(undefined)}>
          <p>{t.encryptedHint}</p>
          <pre className="plain-text" tabIndex={0} role="group" aria-label={t.fileSecrets}>
            {encrypted}
          </pre>
          <p>
            <CopyButton text={encrypted} label={t.copy} wide />
          </p>
        </NoticeDialog>
      )}
    </section>
  );
}
