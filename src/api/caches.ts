import { z } from 'zod';
import { instant, type Operation } from './operation.ts';

const ProjectPath = z.object({ owner: z.string(), project: z.string() });

export const CacheView = z
  .object({
    id: z.string(),
    kind: z
      .enum(['cache', 'step-result'])
      .meta({ description: 'A step-result is what a step left that may be reused' }),
    key: z.string().meta({ description: 'Of a step-result, the name of its step' }),
    branch: z.string().nullable().meta({
      description: 'The branch or tag whose pipelines may read it; null for what a protected branch saved: all may',
    }),
    paths: z.array(z.string()),
    sizeBytes: z.int().meta({ description: 'With the layers that it shares with others' }),
    savedBy: z.int().meta({ description: 'Number of the pipeline' }),
    savedAt: instant,
    usedAt: instant,
    hits: z.int().meta({ description: 'How often this key was asked for and there' }),
    misses: z.int(),
  })
  .meta({ id: 'Cache', description: 'Folders that a step left, kept under a key' });
export type CacheView = z.infer<typeof CacheView>;

export const cacheOperations = {
  listCaches: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/caches',
    summary: 'Caches of a project, used last first',
    action: 'cache:read',
    params: ProjectPath,
    status: 200,
    ok: z.object({
      items: z.array(CacheView),
      hits: z.int().meta({ description: 'Over all keys, those without an entry included' }),
      misses: z.int(),
    }),
    errors: ['PROJECT_NOT_FOUND'],
  },
  deleteCache: {
    method: 'delete',
    path: '/api/v1/projects/{owner}/{project}/caches/{cache}',
    summary: 'Delete a cache; steps that have it mounted keep it until they end',
    action: 'cache:delete',
    params: ProjectPath.extend({ cache: z.string().min(1).max(64) }),
    status: 204,
    errors: ['PROJECT_NOT_FOUND', 'CACHE_NOT_FOUND'],
  },
} as const satisfies Record<string, Operation>;
