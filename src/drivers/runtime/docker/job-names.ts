import { GantryError } from '../../../core/errors.ts';
import type { PortPlan } from '../../../core/plan.ts';
import { readTable } from '../listening-table.ts';
import type { Surroundings } from './surroundings.ts';

/** Names of what runs beside the steps of a job, and what answers there. */
export class JobNames {
  readonly #surroundings: Surroundings;
  readonly #names: readonly string[];
  /** Addresses of those that do not share the job's network namespace, by name. */
  readonly #addresses = new Map<string, string>();
  /** Which name said first that it listens on a port. */
  readonly #listeners = new Map<string, string>();
  /** What was written last: our lines, and the file with them. */
  #written = { lines: '', file: Buffer.alloc(0) };

  constructor(names: readonly string[], surroundings: Surroundings) {
    this.#names = names;
    this.#surroundings = surroundings;
  }

  /** The name that has one of these ports already, or `undefined` when they are this one's from now on. */
  claimPorts(name: string, ports: readonly PortPlan[]): string | undefined {
    const keys = ports.map(({ port, protocol }) => `${port}/${protocol}`);
    const other = keys.map((key) => this.#listeners.get(key)).find((owner) => owner !== undefined && owner !== name);
    if (other !== undefined) return other;
    for (const key of keys) this.#listeners.set(key, name);
    return undefined;
  }

  giveAddress(name: string, address: string): void {
    this.#addresses.set(name, address);
  }

  /** For a container that has an address of its own: where the others are. */
  hostsFor(name: string): readonly string[] {
    return this.#names
      .filter((each) => each !== name)
      .map((each) => `${each}:${this.#addresses.get(each) ?? this.#surroundings.address}`);
  }

  /** `/etc/hosts` of the steps that share the job's network, as it was written last; empty before that. */
  get file(): Buffer {
    return this.#written.file;
  }

  /** Writes the names unless they were written as they are now. */
  async settle(): Promise<void> {
    if (this.#written.file.length === 0 || this.#written.lines !== this.#lines()) await this.write();
  }

  /** Writes the names anew: a step that ran meanwhile may have changed them. */
  async write(): Promise<void> {
    const lines = this.#lines();
    const { text } = await this.#ask(`hosts ${lines}`, ['written']);
    this.#written = { lines, file: Buffer.from(`${text}\n`, 'latin1') };
  }

  #lines(): string {
    return this.#names.map((name) => `${this.#addresses.get(name) ?? '127.0.0.1'}\\t${name}\\n`).join('');
  }

  /** Which of the ports answer at this moment, where the name's step runs. */
  async answering(name: string | undefined, ports: readonly PortPlan[]): Promise<readonly PortPlan[]> {
    const address = name === undefined ? undefined : this.#addresses.get(name);
    if (address !== undefined) return this.#answeringAt(address, ports);
    const { text } = await this.#ask('ports', ['end']);
    const open = new Set<string>();
    for (const table of text.split(/^table /m).slice(1)) {
      const protocol = table.startsWith('udp') ? 'udp' : 'tcp';
      // The first line is the name of the table.
      for (const port of readTable(table.slice(table.indexOf('\n') + 1), protocol)) open.add(`${port}/${protocol}`);
    }
    return ports.filter(({ port, protocol }) => open.has(`${port}/${protocol}`));
  }

  /** Nothing tells from outside whether somebody takes datagrams: such a port counts as answering. */
  async #answeringAt(address: string, ports: readonly PortPlan[]): Promise<readonly PortPlan[]> {
    const answered: PortPlan[] = [];
    for (const port of ports) {
      const isOpen =
        port.protocol === 'udp' || (await this.#ask(`reach ${address} ${port.port}`, ['yes', 'no'])).last === 'yes';
      if (isOpen) answered.push(port);
    }
    return answered;
  }

  async #ask(line: string, lasts: readonly string[]): Promise<{ readonly text: string; readonly last: string }> {
    try {
      return await this.#surroundings.conversation.ask(line, lasts);
    } catch (error) {
      throw new GantryError('RUNTIME_UNAVAILABLE', "Cannot look into the job's network: what held it has ended", {
        cause: error,
      });
    }
  }
}
