import type { GatheredCheckout } from '../core/checkout.ts';
import { GantryError } from '../core/errors.ts';
import type { ClaimName, ToRunner, ToServer } from '../engine/runner-protocol.ts';

type Answer = Extract<ToRunner, { type: 'gather-note' | 'gathered' | 'gather-refused' }>;

interface Question {
  readonly stepId: number;
  readonly request: number;
  readonly note: (line: string) => void;
  readonly resolve: (checkout: GatheredCheckout) => void;
  readonly reject: (error: GantryError) => void;
}

/** What the checkouts of one claim ask the server for: what lies in them. Asked again over each new line. */
export class CheckoutLine {
  readonly #name: ClaimName;
  readonly #send: (message: ToServer) => void;
  readonly #open = new Map<number, Question>();
  #requests = 0;

  constructor(name: ClaimName, send: (message: ToServer) => void) {
    this.#name = name;
    this.#send = send;
  }

  ask(stepId: number, note: (line: string) => void): Promise<GatheredCheckout> {
    this.#requests += 1;
    const { promise, resolve, reject } = Promise.withResolvers<GatheredCheckout>();
    const question = { stepId, request: this.#requests, note, resolve, reject };
    this.#open.set(question.request, question);
    this.#ask(question);
    return promise;
  }

  hear(message: Answer): void {
    const question = this.#open.get(message.request);
    if (!question || question.stepId !== message.stepId) return;
    if (message.type === 'gather-note') {
      question.note(message.line);
      return;
    }
    this.#open.delete(message.request);
    if (message.type === 'gathered') question.resolve(message.checkout);
    else
      question.reject(
        new GantryError(message.isInfrastructure ? 'CHECKOUT_UNAVAILABLE' : 'CHECKOUT_REFUSED', message.message),
      );
  }

  resend(): void {
    for (const question of this.#open.values()) this.#ask(question);
  }

  /** Nobody answers any more. */
  close(): void {
    for (const { reject } of this.#open.values())
      reject(new GantryError('CHECKOUT_UNAVAILABLE', 'Cannot gather the checkout: the claim was taken back'));
    this.#open.clear();
  }

  #ask({ stepId, request }: Question): void {
    this.#send({ type: 'gather', ...this.#name, stepId, request });
  }
}
