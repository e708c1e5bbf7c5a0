/** What a workflow asks of its runner. */
export interface RoutingPlan {
  /** `os/arch`, e.g. `linux/arm64`. */
  readonly platform?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** The labels are to be the runner's own, no more and no fewer (`node` of Drone). */
  readonly isExact?: true;
}

/** What a runner says of itself. */
export interface RunnerLabels {
  /** By which it is known without being told: platform, os, arch, hostname … */
  readonly known: Readonly<Record<string, string>>;
  /** Those it was given. A value of `*` stands for any. */
  readonly own: Readonly<Record<string, string>>;
}

/**
 * What a runner lacks of what a workflow asks for, as `name=value`; empty when it may take it. Where the labels are to be
 * the runner's own, one that has others lacks them all.
 */
export function unmetRouting(routing: RoutingPlan | undefined, runner: RunnerLabels): readonly string[] {
  if (!routing) return [];
  const { platform, labels = {}, isExact } = routing;
  const all = { ...runner.known, ...runner.own };
  const wanted = Object.entries(labels);
  const missing: (readonly [string, string])[] =
    platform === undefined || isPlatform(platform, all['platform']) ? [] : [['platform', platform]];
  if (!isExact) missing.push(...wanted.filter(([name, value]) => !isLabel(name, value, all[name])));
  else {
    const isEqual =
      wanted.length === Object.keys(runner.own).length && wanted.every(([name, value]) => runner.own[name] === value);
    if (!isEqual) missing.push(...wanted);
  }
  return missing.map(([name, value]) => `${name}=${value}`);
}

function isLabel(name: string, wanted: string, value: string | undefined): boolean {
  return value === '*' || (name === 'platform' ? isPlatform(wanted, value) : value === wanted);
}

/** `linux/arm64/v8` is what every `linux/arm64` is. */
function isPlatform(wanted: string, value: string | undefined): boolean {
  return value === '*' || value === wanted || (wanted === 'linux/arm64/v8' && value === 'linux/arm64');
}
