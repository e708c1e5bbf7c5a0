import { z } from 'zod';
import { instant, type Operation } from './operation.ts';

const PipelinePath = z.object({ owner: z.string(), project: z.string(), number: z.coerce.number().int().min(1) });

export const ArtifactView = z
  .object({
    name: z.string(),
    workflow: z.string(),
    step: z.string(),
    attempt: z.int().meta({ description: 'Attempt of the workflow that made it' }),
    digest: z.string().meta({ description: '`sha256:` and the digest of the packed bytes' }),
    sizeBytes: z.int().meta({ description: 'Packed, as it is downloaded' }),
    entries: z.int().meta({ description: 'Files, folders and links in it' }),
    createdAt: instant,
    expiresAt: instant,
    isKept: z.boolean().meta({
      description: 'Kept beyond its time: the pipeline is the newest of the default branch that passed',
    }),
  })
  .meta({ id: 'Artifact', description: 'Files that a step left under a name, as one tar compressed with zstd' });
export type ArtifactView = z.infer<typeof ArtifactView>;

export const artifactOperations = {
  listArtifacts: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/artifacts',
    summary: 'Artifacts of a pipeline, by name; each is downloaded from …/artifacts/{name}/file',
    action: 'artifact:read',
    params: PipelinePath,
    status: 200,
    ok: z.object({ items: z.array(ArtifactView) }),
    errors: ['PROJECT_NOT_FOUND', 'PIPELINE_NOT_FOUND'],
  },
  deleteArtifact: {
    method: 'delete',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/artifacts/{artifact}',
    summary: 'Delete an artifact of a pipeline',
    action: 'artifact:delete',
    params: PipelinePath.extend({ artifact: z.string().min(1).max(100) }),
    status: 204,
    errors: ['PROJECT_NOT_FOUND', 'PIPELINE_NOT_FOUND', 'ARTIFACT_NOT_FOUND'],
  },
} as const satisfies Record<string, Operation>;
