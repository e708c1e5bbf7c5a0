import { createHmac, timingSafeEqual } from 'node:crypto';
import { splitDocuments } from './split-documents.ts';

/** Shorter keys are none (pipelines.md 10.8). */
const shortestKeyBytes = 32;

/** How a file stands to the key of its project. */
export type SignatureVerdict = 'valid' | 'missing' | 'wrong';

/**
 * The signature of a pipeline file, as Drone makes it: hex HMAC-SHA256 over the lines of its documents, without the lines
 * between them and without the signature itself (pipelines.md 10.8).
 */
export function signatureOf(file: string, key: string): string {
  if (Buffer.byteLength(key) < shortestKeyBytes)
    throw new TypeError(`Cannot sign a file: its key has less than ${shortestKeyBytes} bytes`);
  const hmac = createHmac('sha256', key);
  for (const document of splitDocuments(file).documents)
    if (!isSignature(document.text)) hmac.update(lines(document.text));
  return hmac.digest('hex');
}

/** Whether the file carries the signature of its text. */
export function checkSignature(file: string, key: string | undefined): SignatureVerdict {
  const found = splitDocuments(file).documents.filter(({ text }) => isSignature(text));
  const [first] = found;
  if (!first) return 'missing';
  const given = /^hmac:[^\S\n]*["']?([0-9a-f]{64})["']?[^\S\n]*(?:#.*)?$/m.exec(first.text)?.[1];
  if (given === undefined || key === undefined || found.length > 1) return 'wrong';
  return timingSafeEqual(Buffer.from(given, 'hex'), Buffer.from(signatureOf(file, key), 'hex')) ? 'valid' : 'wrong';
}

/** The file with its signature at its end, instead of the one that it had. */
export function withSignature(file: string, hmac: string): string {
  const bodies = splitDocuments(file)
    .documents.filter(({ text }) => !isSignature(text))
    .map(({ text }) => (text.endsWith('\n') ? text : `${text}\n`));
  return `---\n${bodies.join('---\n')}---\nkind: signature\nhmac: ${hmac}\n\n...\n`;
}

function isSignature(document: string): boolean {
  return /^kind:[^\S\n]*["']?signature["']?[^\S\n]*(?:#.*)?$/m.test(document);
}

/** The last line counts with its end, whether it has one or not. */
function lines(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
