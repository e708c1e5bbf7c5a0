import { buildAutomaton, type MaskAutomaton } from './mask-automaton.ts';
import { maskNeedles } from './mask-needles.ts';

/** What stands in the place of a secret, however long it was. */
export const mask = Buffer.from('******');

const letters = tableOf(/[A-Za-z0-9]/);
const words = tableOf(/[A-Za-z0-9_-]/);

/** Beginnings of well-known tokens: what follows them is a secret even when nobody told us of it. */
const tokens: readonly { readonly prefix: string; readonly tail: Uint8Array }[] = [
  { prefix: 'gty_', tail: words },
  { prefix: 'ghp_', tail: letters },
  { prefix: 'gho_', tail: letters },
  { prefix: 'ghu_', tail: letters },
  { prefix: 'ghs_', tail: letters },
  { prefix: 'ghr_', tail: letters },
  { prefix: 'github_pat_', tail: words },
  { prefix: 'glpat-', tail: words },
  { prefix: 'dckr_pat_', tail: words },
  { prefix: 'npm_', tail: letters },
  { prefix: 'AKIA', tail: letters },
  { prefix: 'ASIA', tail: letters },
];
/** So many characters make a word with such a beginning a token. */
const minTokenTail = 16;

/** A beginning of a secret shorter than this says too little to be kept back for long. */
const tellingBytes = 4;

interface OpenToken {
  from: number;
  tailBytes: number;
  readonly tail: Uint8Array;
}

const nothing = Buffer.alloc(0);

/** Everything that is to be masked in the output of a workflow's steps. */
export class MaskSet {
  readonly automaton: MaskAutomaton;

  constructor(values: readonly string[]) {
    this.automaton = buildAutomaton(
      maskNeedles(values),
      tokens.map(({ prefix }) => Buffer.from(prefix)),
    );
  }

  /** Masks a whole text: messages of errors, progress lines, excerpts. */
  maskText(text: string): string {
    const masker = new StreamMasker(this);
    return Buffer.concat([...masker.write(Buffer.from(text)), ...masker.end()]).toString();
  }
}

/**
 * Masks one stream as it comes, wherever it is cut. Secrets that overlap are masked as one, from the first byte of the
 * first to the last byte of the last. Bytes that may be the beginning of a secret are held until more is known; never
 * more than the longest secret.
 */
export class StreamMasker {
  readonly #automaton: MaskAutomaton;
  #state = 0;
  /** Bytes not yet put out. The offsets below count from its first byte; what was put out before is below zero. */
  #held: Buffer = nothing;
  /** A secret that was found and whose beginning may still move, because a longer one is under way around it. */
  #found: { from: number; to: number } | undefined;
  /** The mask was put out and what it stands for may still go on: what overlaps it gets no mask of its own. */
  #isMaskOpen = false;
  /** A word that began like a token. */
  #token: OpenToken | undefined;
  #out: Buffer[] = [];

  constructor(set: MaskSet) {
    this.#automaton = set.automaton;
  }

  /** Bytes that are held back at this moment. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** Those bytes, as they came. */
  get held(): Buffer {
    return this.#held;
  }

  /** Answers what may be shown by now. */
  write(bytes: Buffer): Buffer[] {
    if (bytes.length === 0) return [];
    const scanFrom = this.#held.length;
    const all = scanFrom === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const shownTo = this.#scan(all, scanFrom);
    const safe = Math.max(shownTo, Math.min(this.#found?.from ?? all.length, this.#earliestOpen(all.length)));
    return this.#finish(all, this.#show(all, shownTo, safe));
  }

  /**
   * Time has passed and nothing came: answers what need not be held. A longer beginning of a secret stays until it is
   * known to be none, so that a pause within a secret does not show a part of it.
   */
  release(): Buffer[] {
    const all = this.#held;
    let shownTo = 0;
    if (this.#found) shownTo = this.#showMask(all, 0, this.#found);
    // Counted with what was let go of before: byte by byte no more than this comes out either.
    const isTelling = this.#automaton.depth[this.#state]! >= tellingBytes;
    if (!this.#token && !isTelling) shownTo = this.#show(all, shownTo, all.length);
    return this.#finish(all, shownTo);
  }

  /** Gives the held bytes away as they came, for a masker that knows more to go on with. */
  takeHeld(): Buffer {
    const held = this.#held;
    this.#held = nothing;
    this.#state = 0;
    this.#found = undefined;
    this.#token = undefined;
    return held;
  }

  /** The stream has ended: answers all that is left. */
  end(): Buffer[] {
    const all = this.#held;
    const shownTo = this.#found ? this.#showMask(all, 0, this.#found) : 0;
    const out = this.#finish(all, this.#show(all, shownTo, all.length));
    this.#state = 0;
    this.#isMaskOpen = false;
    this.#token = undefined;
    return out;
  }

  /** Looks at `all` from `from` on; answers up to where it was put out. */
  #scan(all: Buffer, from: number): number {
    const { matchBytes, tokenPrefix, skip, mayBegin, next } = this.#automaton;
    const length = all.length;
    const lastWindow = length - 4;
    let shownTo = 0;
    let at = from;

    while (at < length) {
      if (this.#state === 0 && !this.#token) {
        // Nothing is under way: leap to the next place where something may begin.
        while (at <= lastWindow) {
          const leap = skip[(all[at + 2]! << 8) | all[at + 3]!]!;
          if (leap !== 0) at += leap;
          else if (mayBegin[(all[at]! << 8) | all[at + 1]!] === 0) at += 1;
          else break;
        }
        if (at >= length) break;
      }

      const byte = all[at]!;
      at += 1;
      const state = next(this.#state, byte);
      this.#state = state;
      if (this.#token) shownTo = this.#continueToken(this.#token, byte, at, shownTo);
      else if (tokenPrefix[state] !== 0) {
        const { prefix, tail } = tokens[tokenPrefix[state]! - 1]!;
        this.#token = { from: at - prefix.length, tailBytes: 0, tail };
      }
      const matched = matchBytes[state]!;
      if (matched !== 0) shownTo = this.#addSecret(at - matched, at, shownTo);

      // Whatever is under way began here at the earliest: a secret that began before can grow no more to the left.
      const earliest = this.#earliestOpen(at);
      if (this.#found && earliest >= this.#found.from) shownTo = this.#showMask(all, shownTo, this.#found);
      if (this.#isMaskOpen && earliest >= shownTo) this.#isMaskOpen = false;
    }
    return shownTo;
  }

  #continueToken(token: OpenToken, byte: number, at: number, shownTo: number): number {
    if (token.tail[byte] === 0) {
      this.#token = undefined;
      return shownTo;
    }
    token.tailBytes += 1;
    return token.tailBytes < minTokenTail ? shownTo : this.#addSecret(token.from, at, shownTo);
  }

  /** Where that which is under way began; `at` when nothing is. */
  #earliestOpen(at: number): number {
    const needle = at - this.#automaton.depth[this.#state]!;
    return this.#token ? Math.min(needle, this.#token.from) : needle;
  }

  #addSecret(from: number, to: number, shownTo: number): number {
    if (this.#isMaskOpen && from < shownTo) {
      // It ends here, and so does not end before what was found within it.
      this.#found = undefined;
      return Math.max(shownTo, to);
    }
    this.#found = { from: Math.min(from, this.#found?.from ?? from), to: Math.max(to, this.#found?.to ?? to) };
    return shownTo;
  }

  #showMask(all: Buffer, shownTo: number, secret: { readonly from: number; readonly to: number }): number {
    if (secret.from > shownTo) this.#out.push(all.subarray(shownTo, secret.from));
    this.#out.push(mask);
    this.#found = undefined;
    this.#isMaskOpen = true;
    return secret.to;
  }

  #show(all: Buffer, from: number, to: number): number {
    if (to <= from) return from;
    this.#out.push(all.subarray(from, to));
    this.#isMaskOpen = false;
    return to;
  }

  /** Keeps what was not put out, counting from its first byte from now on, and answers what was. */
  #finish(all: Buffer, shownTo: number): Buffer[] {
    this.#held = shownTo >= all.length ? nothing : Buffer.from(all.subarray(shownTo));
    if (this.#found) this.#found = { from: this.#found.from - shownTo, to: this.#found.to - shownTo };
    if (this.#token) this.#token.from -= shownTo;
    const out = this.#out;
    this.#out = [];
    return out;
  }
}

function tableOf(characters: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) =>
    byte < 128 && characters.test(String.fromCharCode(byte)) ? 1 : 0,
  );
}
