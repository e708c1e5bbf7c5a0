/** A figure that somebody else knows, asked for when it is scraped. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly value: () => number | Promise<number>;
}

const bucketsSeconds = [0.005, 0.025, 0.1, 0.5, 2.5, 10];

/** Counts requests by route, method and status, and writes them in Prometheus' text format (0.0.4). */
export class Metrics {
  readonly #gauges: readonly Gauge[];
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, { counts: number[]; sum: number; count: number }>();

  constructor(gauges: readonly Gauge[] = []) {
    this.#gauges = gauges;
  }

  /** `route` is the pattern, never the path itself: names of projects are nobody's labels. */
  countRequest(method: string, route: string, status: number, durationMs: number): void {
    const key = labels({ method, route, status: String(status) });
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    const seconds = durationMs / 1_000;
    const series = labels({ method, route });
    let found = this.#durations.get(series);
    if (!found) {
      found = { counts: bucketsSeconds.map(() => 0), sum: 0, count: 0 };
      this.#durations.set(series, found);
    }
    for (const [i, limit] of bucketsSeconds.entries())
      if (seconds <= limit) found.counts[i] = (found.counts[i] ?? 0) + 1;
    found.sum += seconds;
    found.count += 1;
  }

  async write(): Promise<string> {
    const cpu = process.cpuUsage();
    const lines = [
      ...family('process_cpu_seconds_total', 'counter', 'CPU time of the server.', [
        ['', (cpu.user + cpu.system) / 1e6],
      ]),
      ...family('process_resident_memory_bytes', 'gauge', 'Resident memory of the server.', [
        ['', process.memoryUsage.rss()],
      ]),
      ...family('process_start_time_seconds', 'gauge', 'When the server started, in Unix time.', [
        ['', Math.round(Date.now() / 1_000 - process.uptime())],
      ]),
      ...family('gantry_http_requests_total', 'counter', 'Requests answered.', [...this.#requests]),
      ...this.#histogram(),
    ];
    for (const { name, help, value } of this.#gauges) lines.push(...family(name, 'gauge', help, [['', await value()]]));
    return `${lines.join('\n')}\n`;
  }

  #histogram(): string[] {
    const name = 'gantry_http_request_duration_seconds';
    const lines = [`# HELP ${name} Time until an answer began.`, `# TYPE ${name} histogram`];
    for (const [series, { counts, sum, count }] of this.#durations) {
      const open = series.slice(0, -1);
      for (const [i, limit] of bucketsSeconds.entries())
        lines.push(`${name}_bucket${open},le="${limit}"} ${counts[i]}`);
      lines.push(
        `${name}_bucket${open},le="+Inf"} ${count}`,
        `${name}_sum${series} ${sum}`,
        `${name}_count${series} ${count}`,
      );
    }
    return lines;
  }
}

function family(name: string, type: string, help: string, samples: readonly (readonly [string, number])[]): string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(([series, value]) => `${name}${series} ${value}`),
  ];
}

function labels(values: Readonly<Record<string, string>>): string {
  const escaped = (text: string): string =>
    text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return `{${Object.entries(values)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')}}`;
}
