import type { Feature } from '../../feature.ts';
import { artifactOperations } from './artifact-operations.ts';
import { artifactRoutes } from './artifact-routes.ts';
import type { ArtifactsDeps } from './artifacts-deps.ts';
import { sweepArtifacts } from './sweep-artifacts.ts';

const sweepEveryMs = 15 * 60_000;

/** Artifacts of pipelines: what there is, download, deletion, and the end of their time. */
export function artifactsFeature(deps: ArtifactsDeps): Feature {
  const { timers, logger } = deps;
  let isStopped = false;
  let takeBack = (): void => {};
  let sweeping: Promise<unknown> = Promise.resolve();

  function sweep(): void {
    sweeping = sweepArtifacts(deps, () => isStopped)
      .then(({ artifacts, blobs }) => {
        if (artifacts + blobs > 0) logger.info('Artifacts whose time was over are gone', { artifacts, blobs });
      })
      .catch((error: unknown) => logger.warn('Artifacts whose time is over were not removed', { error }))
      .finally(() => {
        if (!isStopped) takeBack = timers.after(sweepEveryMs, sweep);
      });
  }

  return {
    name: 'artifacts',
    operations: artifactOperations(deps),
    routes: artifactRoutes(deps),
    start() {
      sweep();
      return Promise.resolve();
    },
    async stop() {
      isStopped = true;
      takeBack();
      await sweeping;
    },
  };
}
