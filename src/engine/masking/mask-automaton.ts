/** Automaton of Aho and Corasick over bytes, made once per workflow and shared by the streams of all its steps. */
export interface MaskAutomaton {
  /** How many bytes of a needle the state stands for. */
  readonly depth: Int32Array;
  /** Length of the longest needle that ends in the state; 0 = none. */
  readonly matchBytes: Int32Array;
  /** Which of the token prefixes ends in the state, counted from 1; 0 = none. */
  readonly tokenPrefix: Uint8Array;
  /** The state after one more byte. */
  readonly next: (state: number, byte: number) => number;
  /**
   * By the third and fourth byte of a place (big-endian pair): how far the next place is at which a needle may begin;
   * 0 = it may begin here.
   */
  readonly skip: Uint8Array;
  /** By the first two bytes of a place: whether any needle begins so. */
  readonly mayBegin: Uint8Array;
}

const minBytes = 4;

/** All needles have at least four bytes: the search skips by looking at the far end of such a window first. */
export function buildAutomaton(needles: readonly Buffer[], tokenPrefixes: readonly Buffer[]): MaskAutomaton {
  const all = [...needles, ...tokenPrefixes].filter((needle) => needle.length >= minBytes);
  const capacity = 1 + all.reduce((sum, needle) => sum + needle.length, 0);
  // A trie with children as linked lists: nearly every state has one child, and a full table would take 1 KiB a state.
  const firstChild = new Int32Array(capacity);
  const sibling = new Int32Array(capacity);
  const byteOf = new Uint8Array(capacity);
  const fail = new Int32Array(capacity);
  const depth = new Int32Array(capacity);
  const matchBytes = new Int32Array(capacity);
  const tokenPrefix = new Uint8Array(capacity);
  const fromRoot = new Int32Array(256);
  let states = 1;

  const child = (state: number, byte: number): number => {
    if (state === 0) return fromRoot[byte]!;
    let at = firstChild[state]!;
    while (at !== 0 && byteOf[at] !== byte) at = sibling[at]!;
    return at;
  };
  const insert = (needle: Buffer): number => {
    let state = 0;
    for (const byte of needle) {
      let to = child(state, byte);
      if (to === 0) {
        to = states;
        states += 1;
        byteOf[to] = byte;
        depth[to] = depth[state]! + 1;
        if (state === 0) fromRoot[byte] = to;
        else {
          sibling[to] = firstChild[state]!;
          firstChild[state] = to;
        }
      }
      state = to;
    }
    return state;
  };
  for (const needle of needles) if (needle.length >= minBytes) matchBytes[insert(needle)] = needle.length;
  tokenPrefixes.forEach((prefix, i) => {
    if (prefix.length >= minBytes) tokenPrefix[insert(prefix)] = i + 1;
  });

  const next = (state: number, byte: number): number => {
    let at = state;
    for (;;) {
      const to = child(at, byte);
      if (to !== 0 || at === 0) return to;
      at = fail[at]!;
    }
  };

  // Breadth first: the failure link of a state is known before its children ask for it.
  const order = new Int32Array(states);
  let tail = 0;
  for (const to of fromRoot) {
    if (to === 0) continue;
    order[tail] = to;
    tail += 1;
  }
  for (let head = 0; head < tail; head += 1) {
    const state = order[head]!;
    if (matchBytes[state] === 0) matchBytes[state] = matchBytes[fail[state]!]!;
    if (tokenPrefix[state] === 0) tokenPrefix[state] = tokenPrefix[fail[state]!]!;
    for (let to = firstChild[state]!; to !== 0; to = sibling[to]!) {
      fail[to] = next(fail[state]!, byteOf[to]!);
      order[tail] = to;
      tail += 1;
    }
  }

  const skip = new Uint8Array(65_536).fill(minBytes - 1);
  const mayBegin = new Uint8Array(65_536);
  for (const needle of all) {
    mayBegin[(needle[0]! << 8) | needle[1]!] = 1;
    for (let at = 0; at < minBytes - 1; at += 1) {
      const pair = (needle[at]! << 8) | needle[at + 1]!;
      skip[pair] = Math.min(skip[pair]!, minBytes - 2 - at);
    }
  }
  return { depth, matchBytes, tokenPrefix, next, skip, mayBegin };
}
