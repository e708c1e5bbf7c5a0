import { ContainerEngine, findEngineHindrance } from '../support/container-engine.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { describeTools } from '../support/run-corpus.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

let engine: ContainerEngine | undefined;

describeTools({
  runtime: 'sandbox',
  hindrance: findSandboxHindrance('bubblewrap'),
  whyNoBuilder: undefined,
  patienceMs: 540_000,
  start: (settings) => GantryProcess.start({ runtime: 'sandbox', settings }),
});

describeTools({
  runtime: 'docker',
  hindrance: findEngineHindrance('docker'),
  whyNoBuilder: undefined,
  patienceMs: 540_000,
  async start(settings) {
    engine = await ContainerEngine.start('docker');
    return GantryProcess.start({ runtime: 'docker', settings: { ...settings, GANTRY_DOCKER_HOST: engine.address } });
  },
  async dispose() {
    await engine?.dispose();
  },
});
