/** Sixteen addresses each: a bridge, a pause container and thirteen with an address of their own. */
const subnetBits = 28;
const subnetSize = 2 ** (32 - subnetBits);

/** Gives each job network a subnet of its own out of one range, since an engine's own pools hold about thirty. */
export class Subnets {
  readonly #first: number;
  readonly #count: number;
  readonly #taken = new Set<number>();
  #next: number;

  /** `range` is an IPv4 network such as `10.214.0.0/16`; `startAt` keeps runners on one engine apart from each other. */
  constructor(range: string, startAt = 0) {
    const [address = '', bits = ''] = range.split('/');
    this.#first = addressNumber(address);
    this.#count = Math.max(1, 2 ** (subnetBits - Number(bits)));
    this.#next = startAt % this.#count;
  }

  /** The next free subnet that overlaps none of `foreign`; `undefined` when there is none left. */
  take(foreign: readonly string[]): string | undefined {
    const others = foreign.flatMap((cidr) => span(cidr));
    for (let tried = 0; tried < this.#count; tried += 1) {
      const index = (this.#next + tried) % this.#count;
      const [from, to] = this.#span(index);
      if (this.#taken.has(index) || others.some((other) => other[0] <= to && from <= other[1])) continue;
      this.#taken.add(index);
      this.#next = (index + 1) % this.#count;
      return `${addressText(from)}/${subnetBits}`;
    }
    return undefined;
  }

  giveBack(subnet: string): void {
    this.#taken.delete((addressNumber(subnet.split('/')[0]!) - this.#first) / subnetSize);
  }

  #span(index: number): [from: number, to: number] {
    const from = this.#first + index * subnetSize;
    return [from, from + subnetSize - 1];
  }
}

function span(cidr: string): [from: number, to: number][] {
  const found = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(cidr);
  if (!found) return [];
  const size = 2 ** (32 - Number(found[2]));
  const from = Math.floor(addressNumber(found[1]!) / size) * size;
  return [[from, from + size - 1]];
}

function addressNumber(text: string): number {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function addressText(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
