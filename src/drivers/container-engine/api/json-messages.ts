import { EngineUnreachable } from './engine-error.ts';

/** Accounts of a build come in lines of up to some hundred KiB. */
const maxLineLength = 16 * 2 ** 20;

/** The messages of an answer: one JSON document a line; what is none is left out. Rejects when the engine breaks off. */
export async function* jsonMessages<Message>(stream: AsyncIterable<unknown>): AsyncGenerator<Message> {
  const decoder = new TextDecoder();
  let text = '';
  const parse = (line: string): Message | undefined => {
    try {
      return JSON.parse(line) as Message;
    } catch {
      return undefined;
    }
  };
  try {
    for await (const chunk of stream) {
      text += decoder.decode(chunk as Buffer, { stream: true });
      if (!text.includes('\n') && text.length < maxLineLength) continue;
      const lines = text.split('\n');
      text = lines.pop()!.slice(0, maxLineLength);
      for (const line of lines) {
        const message = line.trim() === '' ? undefined : parse(line);
        if (message) yield message;
      }
    }
  } catch (error) {
    throw new EngineUnreachable(
      `The container engine broke off: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  const message = text.trim() === '' ? undefined : parse(text);
  if (message) yield message;
}
