import { afterEach, describe, expect, it } from 'vitest';
import { droneFile, PipelinesWorld } from '../../../test/support/pipelines-world.ts';
import { ScriptedRunner } from '../../../test/support/scripted-runner.ts';

let world: PipelinesWorld;
afterEach(() => world.close());

const hold = { script: () => 'hold' as const };
const image = (name: string) => ({ image: `registry.example/${name}:1` });
const file = droneFile(
  {
    first: { a: image('first') },
    second: { b: image('second'), c: { ...image('second') }, d: { ...image('never'), pull: 'never' } },
    third: { e: { ...image('third'), when: { branch: 'other' } }, f: image('fourth') },
  },
  { second: { depends_on: ['first'] }, third: { depends_on: ['second'] } },
);

describe('images of workflows that wait', () => {
  it('are named to the only runner at the push, each once', async () => {
    world = await PipelinesWorld.create(file);
    const runner = world.connect(new ScriptedRunner(hold));
    await world.pushed();
    await runner.until(() => runner.wishes.length === 2);
    const named = runner.wishes.map(({ images }) => images.map((wished) => wished.image));
    // Those of the first come with its steps: it does not wait.
    expect(named).toEqual([['registry.example/second:1'], ['registry.example/fourth:1']]);
  });

  it('are named to nobody where more than one runner may take them', async () => {
    world = await PipelinesWorld.create(file);
    const runners = ['r1', 'r2'].map((id) => world.connect(new ScriptedRunner({ ...hold, id })));
    await Promise.all(runners.map((runner) => runner.until(() => runner.isWelcome)));
    await world.pushed();
    await Promise.race(runners.map((runner) => runner.until(() => runner.running.includes('a'))));
    expect(runners.flatMap(({ wishes }) => wishes)).toEqual([]);
  });
});
