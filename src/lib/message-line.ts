/** One end of a line that carries messages in both directions, keeps their order and their boundaries. */
export interface MessageLine<Out, In> {
  /** Never throws: a message to a closed line is dropped, `onClose` has told. */
  send(message: Out, payload?: Uint8Array): void;
  /** Nothing is read before the first listener is there, so that no message is missed. */
  onMessage(listener: (message: In, payload: Buffer) => void): void;
  /** Called once, also when the line was closed already. */
  onClose(listener: () => void): void;
  /** Bytes that wait to be sent: what back-pressure goes by. */
  readonly bufferedBytes: number;
  close(): void;
}
