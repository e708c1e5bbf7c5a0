import { useState } from 'react';
import type { CommitView } from '../../../src/api/projects.ts';
import type { ProjectName } from '../../addresses.ts';
import { call, newIdempotencyKey, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { FormDialog } from '../../parts/dialog.tsx';
import { fieldOf, RadioCards, TextArea, TextField } from '../../parts/field.tsx';

interface Props {
  readonly name: ProjectName;
  readonly branch: string;
  /** The commit that the files were read at; null: nothing was pushed yet. */
  readonly base: string | null;
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly onClose: () => void;
  readonly onCommitted: (commit: CommitView, branch: string) => void;
}

/** Asks for a message and a branch, and pushes the files as one commit. What is refused is still in the editor. */
export function CommitDialog({ name, branch, base, files, onClose, onCommitted }: Props) {
  const t = useMessages();
  const [isNewBranch, setIsNewBranch] = useState(false);
  const [idempotencyKey, setIdempotencyKey] = useState(newIdempotencyKey);
  const send = async (form: FormData): Promise<void> => {
    const target = isNewBranch ? fieldOf(form, 'branch').trim() : branch;
    const body = { branch: target, isNewBranch, base, message: fieldOf(form, 'message'), files: [...files] };
    try {
      const commit = await call('commitFiles', { params: name, body, idempotencyKey });
      await refresh('listPipelineFiles', 'listRefs', 'listCommits', 'listPipelines', 'getProject');
      onCommitted(commit, target);
    } catch (error) {
      // What is sent next may be another request.
      setIdempotencyKey(newIdempotencyKey());
      throw error;
    }
  };
  return (
    <FormDialog
      title={t.commitTitle}
      description={t.commitNote}
      action={t.commitAction}
      onClose={onClose}
      onSubmit={send}
    >
      <TextArea
        label={t.commitMessage}
        name="message"
        rows={3}
        required
        maxLength={10_000}
        defaultValue={t.commitDefault({ paths: files.map(({ path }) => path).join(', ') })}
        hint={t.commitMessageHint}
      />
      {base !== null && (
        <div onChange={(event) => setIsNewBranch(readsNew(event.target, isNewBranch))}>
          <RadioCards
            legend={t.commitTo}
            name="to"
            defaultValue="branch"
            options={[
              { value: 'branch', label: t.commitToBranch({ branch }), hint: t.commitToBranchNote },
              { value: 'new', label: t.commitToNew, hint: t.commitToNewNote },
            ]}
          />
        </div>
      )}
      {isNewBranch && <TextField label={t.branchName} name="branch" required maxLength={200} spellCheck={false} />}
    </FormDialog>
  );
}

function readsNew(target: EventTarget, before: boolean): boolean {
  return target instanceof HTMLInputElement && target.name === 'to' ? target.value === 'new' : before;
}
