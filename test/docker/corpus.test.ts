import { ContainerEngine, findEngineHindrance } from '../support/container-engine.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { describeCorpus } from '../support/run-corpus.ts';

let engine: ContainerEngine | undefined;

describeCorpus({
  runtime: 'docker',
  hindrance: findEngineHindrance('docker'),
  whyNoBuilder: undefined,
  patienceMs: 180_000,
  async start(settings) {
    // RUN of a Dockerfile needs a network of the engine's own.
    engine = await ContainerEngine.start('docker', { hasDefaultBridge: true });
    return GantryProcess.start({ runtime: 'docker', settings: { ...settings, GANTRY_DOCKER_HOST: engine.address } });
  },
  async dispose() {
    await engine?.dispose();
  },
});
