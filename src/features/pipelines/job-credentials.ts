import { createHmac } from 'node:crypto';
import { credentialOf, hashOfCredential } from '../../core/credential.ts';
import type { Actor } from '../../core/permission.ts';
import { isFinished } from '../../core/pipeline.ts';
import type { OpenWorkflow } from './open-pipelines.ts';

interface JobCredentialsDeps {
  /** What they are made from: the same after a restart of the server. */
  readonly key: () => Buffer;
  readonly workflows: () => Iterable<OpenWorkflow>;
}

/**
 * Credentials of workflows, with which their steps may fetch the code of their own project. Nothing is stored: one is made
 * from the workflow and its claim, and counts while that claim does.
 */
export class JobCredentials {
  readonly #deps: JobCredentialsDeps;

  constructor(deps: JobCredentialsDeps) {
    this.#deps = deps;
  }

  of({ id, token }: OpenWorkflow): string {
    return credentialOf('job', createHmac('sha256', this.#deps.key()).update(`${id}/${token}`).digest());
  }

  /** Whose credential has this hash; `undefined` when the workflow has ended or is another runner's by now. */
  find(hash: string): Extract<Actor, { kind: 'job' }> | undefined {
    for (const workflow of this.#deps.workflows()) {
      const { row } = workflow.pipeline;
      if (workflow.runnerId === undefined || isFinished(workflow.status)) continue;
      // Of two hashes of secrets, how far they are alike tells nothing of either secret.
      if (hashOfCredential(this.of(workflow)) === hash)
        return { kind: 'job', projectId: row.projectId, pipelineNumber: row.number };
    }
    return undefined;
  }
}
