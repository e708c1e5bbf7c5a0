import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { VariableView } from '../../../src/api/settings.ts';
import { useMessages } from '../../language.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { CommandLine } from '../../parts/copy.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { fieldOf, TextArea, TextField } from '../../parts/field.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast } from '../../parts/toast.tsx';
import { type HolderName, holderOption, listKey, listVariables, removeVariable, setVariable } from './holder.ts';

/** Plain variables, with their values. */
export function VariableSettings({ holder, mayChange }: { holder: HolderName; mayChange: boolean }) {
  const t = useMessages();
  const variables = useQuery({
    queryKey: listKey('variables', holder),
    queryFn: ({ signal }) => listVariables(holder, signal),
  });
  const [changing, setChanging] = useState<VariableView | 'new'>();
  const [removing, setRemoving] = useState<VariableView>();
  return (
    <section className="box flush">
      <div className="box-head">
        <h2>{t.settingsTab.variables}</h2>
        <span className="spacer" />
        {mayChange && (
          <button type="button" className="button small" onClick={() => setChanging('new')}>
            {t.addVariable}
          </button>
        )}
      </div>
      <Answer query={variables}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title={t.noVariables}>
              <p>{t.variablesHint}</p>
              {mayChange && <CommandLine command={`gantry variable set NAME=VALUE ${holderOption(holder)}`} />}
            </EmptyState>
          ) : (
            <ul className="entries">
              {items.map((variable) => (
                <li key={variable.name} className="entry tall">
                  <div className="grow">
                    <b className="mono">
                      <bdi>{variable.name}</bdi>
                    </b>
                    <span className="mono block wrap-anywhere">
                      <bdi>{variable.value}</bdi>
                    </span>
                    <small className="quiet block">
                      {t.updatedBy} <bdi>{variable.updatedBy}</bdi>, <Ago at={variable.updatedAt} />
                    </small>
                  </div>
                  {mayChange && (
                    <>
                      <button type="button" className="button small" onClick={() => setChanging(variable)}>
                        {t.change}
                        <span className="hidden-text"> {variable.name}</span>
                      </button>
                      <button type="button" className="button small danger" onClick={() => setRemoving(variable)}>
                        {t.remove}
                        <span className="hidden-text"> {variable.name}</span>
                      </button>
                    </>
                  )}
                </li>
              ))}
            </ul>
          )
        }
      </Answer>
      <p className="box-note quiet">{t.variablesNote}</p>
      {changing !== undefined && (
        <FormDialog
          title={changing === 'new' ? t.addVariable : t.changeVariable({ name: changing.name })}
          description={t.variablesHint}
          action={t.save}
          onClose={() => setChanging(undefined)}
          onSubmit={async (form) => {
            const name = changing === 'new' ? fieldOf(form, 'name').trim() : changing.name;
            await setVariable(holder, name, fieldOf(form, 'value'));
            toast(t.variableSaved({ name }));
          }}
        >
          {changing === 'new' && (
            <TextField
              label={t.name}
              name="name"
              required
              autoFocus
              maxLength={100}
              pattern="[A-Za-z_][A-Za-z0-9_]*"
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              hint={t.variableNameHint}
            />
          )}
          <TextArea
            label={t.value}
            name="value"
            rows={2}
            maxLength={8_192}
            className="input mono"
            spellCheck={false}
            defaultValue={changing === 'new' ? '' : changing.value}
          />
        </FormDialog>
      )}
      {removing && (
        <FormDialog
          title={t.removeVariable({ name: removing.name })}
          description={t.removeVariableHint}
          action={t.remove}
          isDangerous
          onClose={() => setRemoving(undefined)}
          onSubmit={async () => {
            await removeVariable(holder, removing.name);
            toast(t.variableRemoved({ name: removing.name }));
          }}
        />
      )}
    </section>
  );
}
