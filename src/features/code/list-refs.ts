import { delimiterPkt, flushPkt, type PktLine, pktLine, readPktLine } from '../../lib/pkt-line.ts';
import type { CachedRef } from './ref-cache.ts';
import { hiddenRefPrefixes } from './ref-name.ts';

export interface ListRefsRequest {
  readonly wantsPeeled: boolean;
  readonly wantsSymrefs: boolean;
  readonly wantsUnborn: boolean;
  readonly prefixes: readonly string[];
}

/**
 * Reads a `ls-refs` of protocol version 2 (gitprotocol-v2). `undefined` for anything else, and for whatever we do not know
 * in one: git itself answers those.
 */
export function readListRefs(body: Buffer): ListRefsRequest | undefined {
  const lines = linesOf(body);
  const [command, ...rest] = lines ?? [];
  if (command !== 'command=ls-refs' || rest.at(-1) !== flushPkt) return undefined;
  const split = rest.indexOf(delimiterPkt);
  const capabilities = split < 0 ? rest.slice(0, -1) : rest.slice(0, split);
  const wanted = split < 0 ? [] : rest.slice(split + 1, -1);
  const isKnown = (line: string | Buffer): boolean =>
    typeof line === 'string' && /^(?:agent=|session-id=|object-format=sha1$)/.test(line);
  if (!capabilities.every(isKnown)) return undefined;

  const prefixes: string[] = [];
  const flags = new Set<string>();
  for (const line of wanted) {
    if (typeof line !== 'string') return undefined;
    if (line.startsWith('ref-prefix ')) prefixes.push(line.slice('ref-prefix '.length));
    else if (['peel', 'symrefs', 'unborn'].includes(line)) flags.add(line);
    else return undefined;
  }
  return {
    wantsPeeled: flags.has('peel'),
    wantsSymrefs: flags.has('symrefs'),
    wantsUnborn: flags.has('unborn'),
    prefixes,
  };
}

/** The answer that git would give: HEAD first, then all that begin with one of the prefixes. */
export function answerListRefs(request: ListRefsRequest, refs: readonly CachedRef[], defaultBranch: string): Buffer {
  const { prefixes, wantsPeeled, wantsSymrefs, wantsUnborn } = request;
  const isAsked = (name: string): boolean =>
    prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix));
  const target = `refs/heads/${defaultBranch}`;
  const lines: Buffer[] = [];
  if (isAsked('HEAD')) {
    const head = refs.find(({ name }) => name === target);
    const symref = wantsSymrefs ? ` symref-target:${target}` : '';
    if (head) lines.push(pktLine(`${head.object} HEAD${symref}\n`));
    else if (wantsUnborn) lines.push(pktLine(`unborn HEAD${symref}\n`));
  }
  for (const { name, object, peeled } of refs) {
    if (!isAsked(name) || hiddenRefPrefixes.some((prefix) => name.startsWith(prefix))) continue;
    lines.push(pktLine(`${object} ${name}${wantsPeeled && peeled ? ` peeled:${peeled}` : ''}\n`));
  }
  return Buffer.concat([...lines, flushPkt]);
}

/** Text of each line, and the marks between them; `undefined` when it is no sequence of whole lines. */
function linesOf(body: Buffer): readonly (string | Buffer)[] | undefined {
  const lines: (string | Buffer)[] = [];
  let offset = 0;
  while (offset < body.length) {
    let next: { readonly line: PktLine; readonly end: number } | undefined;
    try {
      next = readPktLine(body, offset);
    } catch {
      // Not ours to answer; git says what is wrong with it.
      return undefined;
    }
    if (!next || next.line.kind === 'end') return undefined;
    if (next.line.kind === 'data') lines.push(next.line.payload.toString('utf8').replace(/\n$/, ''));
    else lines.push(next.line.kind === 'flush' ? flushPkt : delimiterPkt);
    offset = next.end;
  }
  return lines;
}
