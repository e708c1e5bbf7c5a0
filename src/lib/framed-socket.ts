import type { Socket } from 'node:net';
import type { MessageLine } from './message-line.ts';

/** Two big-endian 32-bit lengths: of the message (JSON, UTF-8) and of the binary payload beside it. */
const prefixBytes = 8;

export interface FrameLimits {
  /** A longer message closes the line. */
  readonly maxMessageBytes: number;
  /** A longer payload closes the line. */
  readonly maxPayloadBytes: number;
}

export const defaultFrameLimits: FrameLimits = { maxMessageBytes: 32 * 2 ** 20, maxPayloadBytes: 2 ** 20 };

/**
 * Sends and receives JSON messages with binary payloads over a stream socket.
 * A frame that is malformed or too long closes the line: after it nothing that arrives can be trusted.
 * `onFault` is told why.
 */
export function framedSocket<Out extends object, In extends object>(
  socket: Socket,
  options: { readonly limits?: FrameLimits; readonly onFault?: (fault: Error) => void } = {},
): MessageLine<Out, In> {
  const limits = options.limits ?? defaultFrameLimits;
  const messageListeners: ((message: In, payload: Buffer) => void)[] = [];
  const closeListeners: (() => void)[] = [];
  let isClosed = socket.destroyed;
  let isCorked = false;

  const fail = (fault: Error): void => {
    options.onFault?.(fault);
    socket.destroy();
  };
  const reader = frameReader(limits, (message, payload) => {
    for (const listener of messageListeners) listener(message as In, payload);
  });

  socket.on('error', (error) => options.onFault?.(error));
  socket.on('close', () => {
    if (isClosed) return;
    isClosed = true;
    for (const listener of closeListeners.splice(0)) listener();
  });

  return {
    send(message, payload) {
      if (isClosed || !socket.writable) return;
      // What is sent within one turn leaves in one system call.
      if (!isCorked) {
        isCorked = true;
        socket.cork();
        process.nextTick(() => {
          isCorked = false;
          socket.uncork();
        });
      }
      writeFrame(socket, message, payload);
    },
    onMessage(listener) {
      messageListeners.push(listener);
      if (messageListeners.length > 1) return;
      socket.on('data', (bytes: Buffer) => {
        if (socket.destroyed) return;
        const fault = reader(bytes);
        if (fault) fail(fault);
      });
    },
    onClose(listener) {
      if (isClosed) queueMicrotask(listener);
      else closeListeners.push(listener);
    },
    get bufferedBytes() {
      return socket.writableLength;
    },
    close() {
      socket.destroySoon();
    },
  };
}

function writeFrame(socket: Socket, message: object, payload: Uint8Array | undefined): void {
  const text = JSON.stringify(message);
  const messageBytes = Buffer.byteLength(text);
  const head = Buffer.allocUnsafe(prefixBytes + messageBytes);
  head.writeUInt32BE(messageBytes, 0);
  head.writeUInt32BE(payload?.length ?? 0, 4);
  head.write(text, prefixBytes);
  socket.write(head);
  if (payload && payload.length > 0) socket.write(payload);
}

/** Takes bytes as they come and hands over whole frames; answers a fault instead of going on after a bad one. */
function frameReader(
  limits: FrameLimits,
  onFrame: (message: object, payload: Buffer) => void,
): (bytes: Buffer) => Error | undefined {
  // Pieces of a frame that is not whole yet; joined once, when it is.
  let pieces: Buffer[] = [];
  let gathered = 0;
  let wanted = prefixBytes;

  return (bytes) => {
    pieces.push(bytes);
    gathered += bytes.length;
    if (gathered < wanted) return undefined;

    let rest = pieces.length === 1 ? bytes : Buffer.concat(pieces, gathered);
    wanted = prefixBytes;
    while (rest.length >= prefixBytes) {
      const messageBytes = rest.readUInt32BE(0);
      const payloadBytes = rest.readUInt32BE(4);
      if (messageBytes > limits.maxMessageBytes || payloadBytes > limits.maxPayloadBytes)
        return new RangeError(`Cannot read a frame of ${messageBytes} + ${payloadBytes} bytes: that is over the limit`);
      const frameBytes = prefixBytes + messageBytes + payloadBytes;
      if (rest.length < frameBytes) {
        wanted = frameBytes;
        break;
      }
      const message = parseMessage(rest.toString('utf8', prefixBytes, prefixBytes + messageBytes));
      if (!message) return new SyntaxError('Cannot read a frame: its message is not a JSON object');
      onFrame(message, rest.subarray(prefixBytes + messageBytes, frameBytes));
      rest = rest.subarray(frameBytes);
    }
    pieces = rest.length > 0 ? [rest] : [];
    gathered = rest.length;
    return undefined;
  };
}

function parseMessage(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
