/** A pipeline file that nobody wrote. */
export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Pipeline files for measuring, the same ones every time: dialects, sizes (0.3–12 KiB) and features in the proportions in
 * which public files have them (pipelines.md 17).
 */
export function generatePipelines(count: number, seed = 20_261_126): readonly GeneratedFile[] {
  const random = new Random(seed);
  return Array.from({ length: count }, (_, index) => generate(random, index));
}

/** mulberry32: small, and the same on every machine. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.next() * values.length)]!;
  }
}

const images = [
  'golang:1.22',
  'node:20-alpine',
  'python:3.12',
  'alpine',
  'docker.io/library/rust:1.80',
  'plugins/slack',
  'base/node:24',
];
const commands = [
  'go build ./...',
  'go test -race -coverprofile=coverage.out ./...',
  'npm ci',
  'npm run build -- --mode production',
  'make test',
  'echo "building $${DRONE_COMMIT_SHA:0:8}"',
  "sh -c 'set -e; ./scripts/check.sh --all'",
  'cargo clippy --all-targets -- -D warnings',
  'apk add --no-cache git make bash',
  'curl -sSL https://example.com/install.sh | sh -s -- -b /usr/local/bin',
];
const events = ['push', 'pull_request', 'tag'];
const branches = ['main', 'master', 'release/*', 'feature/**', 'v*'];

/** 49 % Woodpecker, 45 % Drone 1.x, 3 % Drone 0.8, the rest `.gantry.yml`. */
function generate(random: Random, index: number): GeneratedFile {
  const share = random.next();
  // Most files are small, a few have hundreds of lines.
  const steps = random.chance(0.15) ? random.between(12, 34) : random.between(2, 9);
  if (share < 0.49) return { path: `.woodpecker/generated-${index}.yml`, text: woodpecker(random, steps) };
  if (share < 0.94) return { path: '.drone.yml', text: drone1(random, steps, random.chance(0.35)) };
  if (share < 0.97) return { path: '.drone.yml', text: drone08(random, steps) };
  return { path: '.gantry.yml', text: drone1(random, steps, random.chance(0.35)) };
}

function stepBody(random: Random, indent: string, isWoodpecker: boolean): string {
  let text = `${indent}image: ${random.pick(images)}\n`;
  if (random.chance(0.25)) {
    text += `${indent}settings:\n${indent}  channel: builds\n`;
    if (random.chance(0.4))
      text += `${indent}  tags: [latest, "1.0", "\${${isWoodpecker ? 'CI_COMMIT_SHA' : 'DRONE_COMMIT_SHA'}}"]\n`;
    if (random.chance(0.5)) text += `${indent}  token:\n${indent}    from_secret: token_${random.between(1, 9)}\n`;
    return text;
  }
  if (random.chance(0.1)) text += `${indent}pull: ${isWoodpecker ? 'true' : 'always'}\n`;
  text += `${indent}commands:\n`;
  for (let line = random.between(1, 6); line > 0; line -= 1) text += `${indent}  - ${random.pick(commands)}\n`;
  if (random.chance(0.45)) {
    text += `${indent}environment:\n${indent}  CGO_ENABLED: 0\n${indent}  GOFLAGS: -mod=vendor\n`;
    if (random.chance(0.4)) text += `${indent}  TOKEN:\n${indent}    from_secret: token\n`;
  }
  return text;
}

function condition(random: Random, indent: string, isWoodpecker: boolean): string {
  if (isWoodpecker && random.chance(0.3))
    return `${indent}when:\n${indent}  - event: push\n${indent}    branch: ${random.pick(branches)}\n${indent}  - event: pull_request\n`;
  let text = `${indent}when:\n${indent}  event: [${random.pick(events)}, ${random.pick(events)}]\n`;
  if (random.chance(0.6)) text += `${indent}  branch:\n${indent}    include: [main, "${random.pick(branches)}"]\n`;
  if (isWoodpecker && random.chance(0.35)) text += `${indent}  path: ["src/**", "*.md"]\n`;
  if (random.chance(0.15)) text += `${indent}  status: [success, failure]\n`;
  return text;
}

function woodpecker(random: Random, count: number): string {
  let text = random.chance(0.65) ? 'variables:\n  - &image golang:1.22\n  - &paths ["src/**", "go.*"]\n\n' : '';
  if (random.chance(0.7)) text += 'when:\n  - event: pull_request\n  - event: push\n    branch: main\n\n';
  if (random.chance(0.2)) text += 'depends_on: [build]\n\n';
  if (random.chance(0.09)) text += 'matrix:\n  GO: ["1.21", "1.22"]\n  OS: [linux, alpine]\n\n';
  text += random.chance(0.12) ? 'pipeline:\n' : 'steps:\n';
  const isGraph = random.chance(0.35);
  for (let index = 0; index < count; index += 1) {
    text += `  step-${index}:\n${stepBody(random, '    ', true)}`;
    if (isGraph && index > 0) text += `    depends_on: [step-${random.between(0, index - 1)}]\n`;
    if (!isGraph && random.chance(0.6)) text += condition(random, '    ', true);
    if (random.chance(0.12)) text += '    failure: ignore\n';
  }
  if (random.chance(0.18))
    text +=
      'services:\n  database:\n    image: postgres:16\n    ports: [5432]\n    environment:\n      POSTGRES_PASSWORD: test\n';
  return text;
}

function drone1(random: Random, count: number, isMany: boolean): string {
  const documents = isMany ? random.between(2, 8) : 1;
  return Array.from({ length: documents }, (_, number) => {
    let text = `---\nkind: pipeline\n${random.chance(0.5) ? 'type: docker\n' : ''}name: ${number === 0 ? 'default' : `part-${number}`}\n\n`;
    if (random.chance(0.4)) text += 'trigger:\n  event: [push, pull_request]\n  branch: [main]\n\n';
    if (number > 0 && random.chance(0.5))
      text += `depends_on: [${number === 1 ? 'default' : `part-${number - 1}`}]\n\n`;
    if (random.chance(0.3)) text += 'clone:\n  depth: 50\n\n';
    text += 'steps:\n';
    for (let index = 0; index < Math.ceil(count / documents); index += 1) {
      text += `  - name: step-${index}\n${stepBody(random, '    ', false)}`;
      if (index > 0 && random.chance(0.08)) text += `    depends_on: [step-${index - 1}]\n`;
      if (random.chance(0.65)) text += condition(random, '    ', false);
    }
    return text;
  }).join('\n');
}

function drone08(random: Random, count: number): string {
  let text = 'workspace:\n  base: /go\n  path: src/example.com/shop\n\npipeline:\n';
  for (let index = 0; index < count; index += 1) {
    text += `  step-${index}:\n    image: ${random.pick(images)}\n    commands:\n      - ${random.pick(commands)}\n      - ${random.pick(commands)}\n`;
    if (random.chance(0.4)) text += '    group: check\n';
    if (random.chance(0.4)) text += '    secrets: [token]\n';
    if (random.chance(0.6))
      text += `    when:\n      event: ${random.pick(events)}\n      branch: ${random.pick(branches)}\n`;
  }
  return text;
}
