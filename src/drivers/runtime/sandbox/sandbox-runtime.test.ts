import { describe, it } from 'vitest';
import {
  busyboxImage,
  configuredImage,
  findSandboxHindrance,
  openSandboxWorld,
} from '../../../../test/support/sandbox-world.ts';
import { runtimeContract } from '../runtime.contract.ts';

for (const launcher of ['bubblewrap', 'runc'] as const) {
  const hindrance = findSandboxHindrance(launcher);
  if (hindrance) {
    describe.skip(`sandbox with ${launcher} as a runtime`, () => it(`is not tested here: ${hindrance}`, () => {}));
    continue;
  }
  runtimeContract(`sandbox with ${launcher}`, async () => {
    const world = await openSandboxWorld(launcher);
    return {
      runtime: world.runtime,
      image: busyboxImage,
      missingImage: 'test/missing:1',
      otherImage: configuredImage,
      leftovers: () => world.leftovers(),
      close: () => world.close(),
    };
  });
}
