import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CheckoutGatherer, GatheredCheckout } from '../../core/checkout.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { silentLogger } from '../../lib/logger.ts';
import { CheckoutDesk } from './checkout-desk.ts';
import type { OpenWorkflow } from './open-pipelines.ts';
import type { RunnerSession } from './runner-session.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const claim = { workflowId: 3, attempt: 1, token: 2 };
const checkout = { source: {}, submodules: [] } as unknown as GatheredCheckout;

/** A fetch that ends when it is told to, or when the test lets it. */
function slowGatherer() {
  const fetched = Promise.withResolvers<GatheredCheckout>();
  const signals: AbortSignal[] = [];
  const gatherer: CheckoutGatherer = {
    gather(_request, _note, signal) {
      signals.push(signal);
      signal.addEventListener('abort', () => fetched.reject(signal.reason));
      return fetched.promise;
    },
  };
  return { gatherer, signals, finish: () => fetched.resolve(checkout) };
}

async function asked(gatherer: CheckoutGatherer) {
  const read = {
    events: { find: async () => ({ personId: 1, personName: 'mei' }) },
    pipelines: { rerunBy: async () => ({ personId: 2, tokenProjectIds: [7] }) },
    people: { find: async () => ({ name: 'bo' }) },
  };
  const desk = new CheckoutDesk({
    gatherer,
    store: { read } as unknown as Pick<UnitOfWork, 'read'>,
    place: { repository: { folder: () => '/repository' }, publicUrl: () => 'http://gantry.example' },
    logger: silentLogger,
  });
  const sent: { type: string }[] = [];
  const session = { send: (message: { type: string }) => void sent.push(message) } as unknown as RunnerSession;
  const step = { id: 5, status: 'running' };
  const workflow = {
    id: 3,
    status: 'running',
    steps: [step],
    plan: { clone: { isDisabled: false, depth: 0, isRecursive: true } },
    pipeline: { row: { eventId: 1, projectId: 7, commit: 'c', ref: 'refs/heads/main' }, slug: 'mei/top' },
  } as unknown as { -readonly [Key in keyof OpenWorkflow]: OpenWorkflow[Key] };
  const heard = desk.hear(session, workflow, { type: 'gather', ...claim, stepId: 5, request: 1 });
  await vi.advanceTimersByTimeAsync(5_000);
  return { workflow, step, sent, heard };
}

describe('what is fetched for a checkout', () => {
  it('goes on as long as its step waits, and is told', async () => {
    const { gatherer, signals, finish } = slowGatherer();
    const { sent, heard } = await asked(gatherer);
    expect([signals[0]?.aborted, sent]).toEqual([false, []]);
    finish();
    await heard;
    expect(sent).toEqual([{ type: 'gathered', ...claim, stepId: 5, request: 1, checkout }]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each<[string, (asking: Awaited<ReturnType<typeof asked>>) => void]>([
    ['was cancelled', ({ workflow }) => void (workflow.cancelledBy = 'mei')],
    ['has ended with its workflow', ({ workflow }) => void (workflow.status = 'infrastructure')],
    ['has ended by itself', ({ step }) => void (step.status = 'cancelled')],
  ])('is ended within a second once the step %s, and nobody is told', async (_, change) => {
    const { gatherer, signals } = slowGatherer();
    const asking = await asked(gatherer);
    change(asking);
    await vi.advanceTimersByTimeAsync(1_000);
    await asking.heard;
    expect([signals[0]?.aborted, asking.sent]).toEqual([true, []]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is fetched for whoever caused the run and whoever runs it again', async () => {
    const { gatherer, finish } = slowGatherer();
    const gather = vi.spyOn(gatherer, 'gather');
    const { heard } = await asked(gatherer);
    expect(gather.mock.calls[0]?.[0].readers).toEqual([
      { personId: 1, tokenProjectIds: undefined, personName: 'mei' },
      { personId: 2, tokenProjectIds: [7], personName: 'bo' },
    ]);
    finish();
    await heard;
  });
});
