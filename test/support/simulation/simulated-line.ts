import type { Connection } from '../../../src/engine/runner-protocol.ts';

interface Parcel<Message> {
  readonly text: string;
  readonly payload: Buffer;
  readonly receiver: Receiver<Message>;
}

interface Receiver<Message> {
  listener: ((message: Message, payload: Buffer) => void) | undefined;
  readonly closeListeners: (() => void)[];
}

/** A line whose messages arrive when the scheduler says so: in order, perhaps twice, or never once it is cut. */
export class SimulatedLine<ToA extends object, ToB extends object> {
  readonly a: Connection<ToB, ToA>;
  readonly b: Connection<ToA, ToB>;
  isCut = false;
  readonly #atA: Receiver<ToA> = { listener: undefined, closeListeners: [] };
  readonly #atB: Receiver<ToB> = { listener: undefined, closeListeners: [] };
  #toA: Parcel<ToA>[] = [];
  #toB: Parcel<ToB>[] = [];

  constructor() {
    this.a = this.#end(this.#atA, this.#atB, () => this.#toB);
    this.b = this.#end(this.#atB, this.#atA, () => this.#toA);
  }

  get waitingAtA(): number {
    return this.#toA.length;
  }

  get waitingAtB(): number {
    return this.#toB.length;
  }

  deliverToA(isTwice: boolean): void {
    deliver(this.#toA, isTwice);
  }

  deliverToB(isTwice: boolean): void {
    deliver(this.#toB, isTwice);
  }

  /** What is on its way is lost; both ends hear that it is over. */
  cut(): void {
    if (this.isCut) return;
    this.isCut = true;
    this.#toA = [];
    this.#toB = [];
    for (const listener of [...this.#atA.closeListeners, ...this.#atB.closeListeners]) listener();
  }

  #end<Out extends object, In extends object>(
    own: Receiver<In>,
    other: Receiver<Out>,
    queue: () => Parcel<Out>[],
  ): Connection<Out, In> {
    return {
      send: (message, payload) => {
        if (this.isCut) return;
        queue().push({
          text: JSON.stringify(message),
          payload: payload ? Buffer.from(payload) : Buffer.alloc(0),
          receiver: other,
        });
      },
      onMessage: (listener) => {
        own.listener = listener;
      },
      onClose: (listener) => {
        own.closeListeners.push(listener);
      },
      bufferedBytes: 0,
      close: () => this.cut(),
    };
  }
}

function deliver<Message>(queue: Parcel<Message>[], isTwice: boolean): void {
  const parcel = queue.shift();
  if (!parcel) return;
  for (let times = isTwice ? 2 : 1; times > 0; times -= 1)
    parcel.receiver.listener?.(JSON.parse(parcel.text) as Message, parcel.payload);
}
