import type { Outcome } from '../../core/pipeline.ts';
import type { ProgramRun, ReleaseSpec, RunningStep, StagedStep, StageSpec } from './runtime.ts';

/** Perl as every sandbox and container of ours has it beside its image, whose files are not touched. */
const perl = ['/.gantry/ld.so', '--library-path', '/.gantry', '/.gantry/perl'];

/** Nothing that the image sets is to change what the program does. */
const environment = { PERL5OPT: '', PERL5LIB: '', PERL_UNICODE: '0', LD_PRELOAD: '', LD_LIBRARY_PATH: '' };

/** How a driver runs a program of Gantry's own. */
export interface ProgramDriver<Staged extends StagedStep> {
  /** Mount point of the workspace. */
  readonly workspace: string;
  readonly stage: (step: StageSpec) => Promise<Staged>;
  readonly release: (staged: Staged, release: ReleaseSpec) => RunningStep;
  /** What the program does first: to find its input. */
  readonly prologue?: string | undefined;
}

/** Stages a program as a step of the job, as root and without network, and waits for its end. */
export async function runOwnProgram<Staged extends StagedStep>(
  run: ProgramRun,
  { workspace, stage, release, prologue = '' }: ProgramDriver<Staged>,
): Promise<Outcome> {
  const { signal } = run;
  signal.throwIfAborted();
  const staged = await stage({
    id: run.id,
    name: run.name,
    kind: 'image',
    image: run.image,
    pull: run.pull,
    ...(run.credentials ? { credentials: run.credentials } : {}),
    entrypoint: [...perl, '-e', `${prologue}${run.program}`, ...run.args],
    command: [],
    user: '0:0',
    // The workspace's top stays whose it is.
    startsIn: 'image',
    workingDirectory: workspace,
    limits: run.limits,
    network: 'none',
    progress: run.progress,
    signal,
  });
  if (signal.aborted) await staged.discard();
  signal.throwIfAborted();
  const running = release(staged, {
    environment,
    secrets: {},
    timeoutMs: run.timeoutMs,
    graceMs: 1,
    onOutput: run.onOutput,
  });
  const cancel = (): void => running.cancel('it is not wanted any more');
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await running.outcome;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}
