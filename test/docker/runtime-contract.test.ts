import { describe, it } from 'vitest';
import { runtimeContract } from '../../src/drivers/runtime/runtime.contract.ts';
import { ContainerEngine, findEngineHindrance } from '../support/container-engine.ts';
import { openDockerWorld } from '../support/docker-world.ts';

for (const kind of ['docker', 'podman'] as const) {
  const hindrance = findEngineHindrance(kind);
  if (hindrance) {
    describe.skip(`${kind} as a runtime`, () => it(`is not tested here: ${hindrance}`, () => {}));
    continue;
  }
  runtimeContract(kind, async () => {
    const engine = await ContainerEngine.start(kind);
    const world = openDockerWorld(engine.address, { keepsCaches: true });
    return {
      runtime: world.runtime,
      image: 'base/busybox',
      missingImage: 'base/missing',
      otherImage: 'base/gate',
      leftovers: () => world.leftovers(),
      // A job takes an engine half a second and more.
      jobsInARow: kind === 'docker' ? 30 : 10,
      close: async () => {
        await world.close();
        await engine.dispose();
      },
    };
  });
}
