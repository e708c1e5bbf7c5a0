import { StringDecoder } from 'node:string_decoder';
import { bytesFields, isSet, protobufFields, textField } from './protobuf.ts';

interface Vertex {
  number: number;
  readonly name: string;
  readonly decoder: StringDecoder;
  startedAtMs: number | undefined;
  isEnded: boolean;
  /** The line of its output that has not ended. */
  open: string;
}

/** A longer line of output is told in pieces. */
const maxLineLength = 16_384;

/**
 * Turns BuildKit's account of a build (`moby.buildkit.control.v1.StatusResponse`) into lines: the steps as they begin,
 * with their number, what they say, and how they end.
 */
export class BuildTrace {
  readonly #vertices = new Map<string, Vertex>();
  readonly #nowMs: () => number;
  readonly #rename: (name: string) => string;
  #failed: string | undefined;
  #started = 0;

  /** `rename` gives a step the name that its file has for it. */
  constructor(options: { readonly nowMs: () => number; readonly rename: (name: string) => string }) {
    this.#nowMs = options.nowMs;
    this.#rename = options.rename;
  }

  /** What the instruction that failed is called, without its place in the stage: `RUN make test`. */
  get failedInstruction(): string | undefined {
    return this.#failed;
  }

  /** The lines that a message adds. */
  take(bytes: Buffer): readonly string[] {
    const fields = protobufFields(bytes);
    return [
      ...bytesFields(fields, 1).flatMap((each) => this.#takeVertex(each)),
      ...bytesFields(fields, 3).flatMap((each) => this.#takeLog(each)),
    ];
  }

  #takeVertex(bytes: Buffer): readonly string[] {
    const fields = protobufFields(bytes);
    const name = this.#rename(textField(fields, 3));
    // The engine's own preparations say nothing to whoever reads the log.
    if (name.startsWith('[internal]') || name === 'copy /context /') return [];
    const vertex = this.#vertexOf(textField(fields, 1), name);
    const lines: string[] = [];
    if (vertex.startedAtMs === undefined && (isSet(fields, 5) || isSet(fields, 4))) {
      vertex.startedAtMs = this.#nowMs();
      this.#started += 1;
      vertex.number = this.#started;
      lines.push(`#${vertex.number} ${name}`);
    }
    const error = textField(fields, 7);
    if (vertex.isEnded || (!isSet(fields, 6) && error === '')) return lines;
    vertex.isEnded = true;
    lines.push(...this.#openLine(vertex));
    if (error !== '' && !/context canceled/i.test(error)) {
      this.#failed ??= name.replace(/^\[[^\]]*\]\s*/, '');
      lines.push(`#${vertex.number} ERROR: ${error}`);
    } else if (error !== '') lines.push(`#${vertex.number} CANCELED`);
    else if (isSet(fields, 4)) lines.push(`#${vertex.number} CACHED`);
    else lines.push(`#${vertex.number} done in ${((this.#nowMs() - (vertex.startedAtMs ?? 0)) / 1_000).toFixed(1)} s`);
    return lines;
  }

  #takeLog(bytes: Buffer): readonly string[] {
    const fields = protobufFields(bytes);
    const vertex = this.#vertices.get(textField(fields, 1));
    const message = bytesFields(fields, 4)[0];
    if (!vertex || !message) return [];
    const lines = (vertex.open + vertex.decoder.write(message)).split('\n');
    vertex.open = lines.pop()!;
    if (vertex.open.length > maxLineLength) {
      lines.push(vertex.open);
      vertex.open = '';
    }
    return lines.map((line) => `#${vertex.number} ${line.replace(/\r$/, '')}`);
  }

  #openLine(vertex: Vertex): readonly string[] {
    const { open } = vertex;
    vertex.open = '';
    return open === '' ? [] : [`#${vertex.number} ${open}`];
  }

  #vertexOf(digest: string, name: string): Vertex {
    const known = this.#vertices.get(digest);
    if (known) return known;
    const vertex: Vertex = {
      number: 0,
      name,
      decoder: new StringDecoder('utf8'),
      startedAtMs: undefined,
      isEnded: false,
      open: '',
    };
    this.#vertices.set(digest, vertex);
    return vertex;
  }
}
