import { type CheckoutGatherer, type CheckoutReader, type CheckoutRequest, isGathered } from '../../core/checkout.ts';
import { GantryError } from '../../core/errors.ts';
import { isFinished } from '../../core/pipeline.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { ClaimName, ToServer } from '../../engine/runner-protocol.ts';
import type { Logger } from '../../lib/logger.ts';
import { type AssignedRepository, repositoryOf } from './assignment.ts';
import { findStep, type OpenWorkflow } from './open-pipelines.ts';
import type { RunnerSession } from './runner-session.ts';

type Question = Extract<ToServer, { type: 'gather' }>;

/** How often it is looked whether anybody still waits: what is fetched takes that long, or is over. */
const lookEveryMs = 1_000;

/** Whom the answer goes to: the line that asked last. */
interface Asker {
  session: RunnerSession;
  request: number;
}

export interface CheckoutDeskDeps {
  readonly gatherer: CheckoutGatherer | undefined;
  readonly store: Pick<UnitOfWork, 'read'>;
  readonly place: AssignedRepository;
  readonly logger: Logger;
}

/** Answers runners that ask what lies in a checkout: one answer for a step, however often it is asked for. */
export class CheckoutDesk {
  readonly #deps: CheckoutDeskDeps;
  readonly #askers = new Map<string, Asker>();
  readonly #stopping = new AbortController();

  constructor(deps: CheckoutDeskDeps) {
    this.#deps = deps;
  }

  async hear(session: RunnerSession, workflow: OpenWorkflow, message: Question): Promise<void> {
    const { attempt, request, stepId, token, workflowId } = message;
    const claim: ClaimName = { workflowId, attempt, token };
    const key = `${workflowId}/${attempt}/${token}/${stepId}`;
    const waiting = this.#askers.get(key);
    if (waiting) {
      waiting.session = session;
      waiting.request = request;
      return;
    }
    const asker: Asker = { session, request };
    this.#askers.set(key, asker);
    const unwanted = new AbortController();
    const look = setInterval(() => {
      if (!isWanted(workflow, stepId)) unwanted.abort(nobodyWaits());
    }, lookEveryMs).unref();
    const name = (): ClaimName & { readonly stepId: number; readonly request: number } => ({
      ...claim,
      stepId,
      request: asker.request,
    });
    try {
      const signal = AbortSignal.any([this.#stopping.signal, unwanted.signal]);
      const note = (line: string): void => {
        asker.session.send({ type: 'gather-note', ...name(), line });
      };
      const checkout = await this.#gather(workflow, note, signal);
      asker.session.send({ type: 'gathered', ...name(), checkout });
    } catch (error) {
      if (unwanted.signal.aborted) return;
      if (!(error instanceof GantryError) || error.kind === 'unavailable')
        this.#deps.logger.warn('A checkout could not be gathered', { error, ...claim });
      asker.session.send({
        type: 'gather-refused',
        ...name(),
        message: error instanceof GantryError ? error.message : 'Cannot gather the checkout: see the server log',
        isInfrastructure: !(error instanceof GantryError) || error.kind === 'unavailable',
      });
    } finally {
      clearInterval(look);
      this.#askers.delete(key);
    }
  }

  /** Ends what is being fetched: the next server is asked again. */
  stop(): void {
    this.#stopping.abort(new GantryError('CHECKOUT_UNAVAILABLE', 'Cannot gather the checkout: the server stops'));
  }

  async #gather(
    { id, pipeline, plan }: OpenWorkflow,
    note: (line: string) => void,
    signal: AbortSignal,
  ): ReturnType<CheckoutGatherer['gather']> {
    const { gatherer, place, store } = this.#deps;
    const source = repositoryOf(pipeline, place);
    if (!isGathered(plan.clone)) return { source, submodules: [] };
    if (!gatherer) throw new GantryError('CHECKOUT_REFUSED', 'Cannot gather the checkout: nothing here fetches any');
    const { events, pipelines, people } = store.read;
    const event = await events.find(pipeline.row.eventId);
    const first: CheckoutReader = {
      personId: event?.personId,
      tokenProjectIds: event?.tokenProjectIds,
      personName: event?.personName ?? 'nobody',
    };
    const rerun = await pipelines.rerunBy(id);
    const others = rerun ? [{ ...rerun, personName: (await people.find(rerun.personId))?.name ?? 'nobody' }] : [];
    const request: CheckoutRequest = {
      projectId: pipeline.row.projectId,
      readers: [first, ...others],
      mayUseLogins: pipeline.mayHaveSecrets,
      plan: plan.clone,
      source,
    };
    return gatherer.gather(request, note, signal);
  }
}

/** A step that was cancelled, or whose workflow has ended or begun anew, waits for no checkout. */
function isWanted(workflow: OpenWorkflow, stepId: number): boolean {
  if (workflow.cancelledBy !== undefined || isFinished(workflow.status)) return false;
  const step = findStep(workflow, stepId);
  return step !== undefined && !isFinished(step.status);
}

function nobodyWaits(): GantryError {
  return new GantryError('CHECKOUT_UNAVAILABLE', 'Cannot gather the checkout: nobody waits for it any more');
}
