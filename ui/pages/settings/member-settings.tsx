import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ClientResult } from '../../../src/api/client.ts';
import type { ProjectName } from '../../addresses.ts';
import { ask, call, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { Answer } from '../../parts/answers.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { fieldOf, SelectField, TextField } from '../../parts/field.tsx';
import { Icon } from '../../parts/icons.tsx';
import { toast, toastError } from '../../parts/toast.tsx';

const roles = ['read', 'triage', 'write', 'maintain', 'admin', 'owner'] as const;
type Role = (typeof roles)[number];
type Member = ClientResult<'listMembers'>['items'][number];

export function MemberSettings({ name, mayManage }: { name: ProjectName; mayManage: boolean }) {
  const t = useMessages();
  const members = useQuery(ask('listMembers', { params: name }));
  const [isAdding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Member>();
  const setRole = useMutation({
    mutationFn: ({ member, role }: { member: string; role: Role }) =>
      call('setMember', { params: { ...name, name: member }, body: { role } }),
    onSuccess: (_, { member, role }) => toast(t.roleSet({ name: member, role: t.role[role] })),
    onError: toastError,
    onSettled: () => refresh('listMembers', 'getProject'),
  });
  return (
    <section className="box flush">
      <div className="box-head">
        <h2>{t.settingsTab.members}</h2>
        <span className="spacer" />
        {mayManage && (
          <button type="button" className="button small" onClick={() => setAdding(true)}>
            {t.addMember}
          </button>
        )}
      </div>
      <Answer query={members}>
        {({ items }) => (
          <ul className="entries">
            {items.map((member) => {
              const isGivenHere = member.from === 'project';
              return (
                <li key={`${member.name} ${member.from}`} className="entry tall">
                  <Icon name="person" />
                  <div className="grow">
                    <b>
                      <bdi>{member.name}</bdi>
                    </b>
                    {!isGivenHere && <small className="quiet block">{t.memberFrom[member.from]}</small>}
                  </div>
                  {mayManage && isGivenHere ? (
                    <>
                      <select
                        className="input small"
                        aria-label={t.roleOf({ name: member.name })}
                        value={member.role}
                        onChange={(event) => setRole.mutate({ member: member.name, role: event.target.value as Role })}
                      >
                        {roles.map((role) => (
                          <option key={role} value={role}>
                            {t.role[role]}
                          </option>
                        ))}
                      </select>
                      <button type="button" className="button small danger" onClick={() => setRemoving(member)}>
                        {t.remove}
                        <span className="hidden-text"> {member.name}</span>
                      </button>
                    </>
                  ) : (
                    <span className="tag">{t.role[member.role]}</span>
                  )}
                </li>
              );
            })}
          </ul>
        )}
      </Answer>
      <p className="box-note quiet">{t.rolesHint}</p>
      {isAdding && <AddMemberDialog name={name} onClose={() => setAdding(false)} />}
      {removing && (
        <FormDialog
          title={t.removeMember({ name: removing.name })}
          description={t.removeMemberHint}
          action={t.remove}
          isDangerous
          onClose={() => setRemoving(undefined)}
          onSubmit={async () => {
            await call('removeMember', { params: { ...name, name: removing.name } });
            toast(t.memberRemoved({ name: removing.name }));
            await refresh('listMembers');
          }}
        />
      )}
    </section>
  );
}

function AddMemberDialog({ name, onClose }: { name: ProjectName; onClose: () => void }) {
  const t = useMessages();
  const people = useQuery(ask('listPeople'));
  return (
    <FormDialog
      title={t.addMember}
      action={t.addMember}
      onClose={onClose}
      onSubmit={async (form) => {
        const member = fieldOf(form, 'member').trim();
        const role = fieldOf(form, 'role') as Role;
        await call('setMember', { params: { ...name, name: member }, body: { role } });
        toast(t.roleSet({ name: member, role: t.role[role] }));
        await refresh('listMembers');
      }}
    >
      <TextField label={t.name} name="member" required autoFocus list="people" autoComplete="off" maxLength={63} />
      <datalist id="people">
        {people.data?.items
          .filter((person) => !person.isDisabled)
          .map((person) => (
            <option key={person.name} value={person.name}>
              {person.displayName}
            </option>
          ))}
      </datalist>
      <SelectField label={t.roleLabel} name="role" defaultValue="write" hint={t.rolesHint}>
        {roles.map((role) => (
          <option key={role} value={role}>
            {t.role[role]} – {t.roleHint[role]}
          </option>
        ))}
      </SelectField>
    </FormDialog>
  );
}
