import type { MessageLine } from './message-line.ts';

const nothing = Buffer.alloc(0);

interface Parcel {
  readonly text: string;
  readonly payload: Buffer;
}

/**
 * Two ends of a line within one process. Like a socket it delivers later, in order, and copies: neither side can
 * change what the other one holds. Closing one end closes both, after what was sent before has arrived.
 */
export function pairedConnection<A extends object, B extends object>(): [MessageLine<A, B>, MessageLine<B, A>] {
  const toRight = queue<A>();
  const toLeft = queue<B>();
  const close = (): void => {
    toRight.close();
    toLeft.close();
  };
  return [end(toRight, toLeft, close), end(toLeft, toRight, close)];
}

function end<Out extends object, In extends object>(
  out: Queue<Out>,
  into: Queue<In>,
  close: () => void,
): MessageLine<Out, In> {
  return {
    send: out.push,
    onMessage: into.onMessage,
    onClose: into.onClose,
    get bufferedBytes() {
      return out.bufferedBytes();
    },
    close,
  };
}

interface Queue<Message> {
  readonly push: (message: Message, payload?: Uint8Array) => void;
  readonly onMessage: (listener: (message: Message, payload: Buffer) => void) => void;
  readonly onClose: (listener: () => void) => void;
  readonly bufferedBytes: () => number;
  readonly close: () => void;
}

function queue<Message extends object>(): Queue<Message> {
  const messageListeners: ((message: Message, payload: Buffer) => void)[] = [];
  const closeListeners: (() => void)[] = [];
  let parcels: Parcel[] = [];
  let waitingBytes = 0;
  let isScheduled = false;
  let isClosing = false;
  let isClosed = false;

  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(deliver);
  };
  const deliver = (): void => {
    isScheduled = false;
    if (messageListeners.length > 0) {
      const arrived = parcels;
      parcels = [];
      for (const { text, payload } of arrived) {
        waitingBytes -= text.length + payload.length;
        for (const listener of messageListeners) listener(JSON.parse(text) as Message, payload);
      }
    }
    if (!isClosing || isClosed) return;
    isClosed = true;
    for (const listener of closeListeners.splice(0)) listener();
  };

  return {
    push(message, payload) {
      if (isClosing) return;
      const parcel = { text: JSON.stringify(message), payload: payload ? Buffer.from(payload) : nothing };
      parcels.push(parcel);
      waitingBytes += parcel.text.length + parcel.payload.length;
      schedule();
    },
    onMessage(listener) {
      messageListeners.push(listener);
      schedule();
    },
    onClose(listener) {
      if (isClosed) queueMicrotask(listener);
      else closeListeners.push(listener);
    },
    bufferedBytes: () => waitingBytes,
    close() {
      isClosing = true;
      schedule();
    },
  };
}
