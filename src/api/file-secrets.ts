import { z } from 'zod';
import { instant, type Operation } from './operation.ts';
import { ProjectPath } from './projects.ts';

const ImportedKeyView = z
  .object({
    updatedAt: instant.nullable().meta({ description: 'When a key was brought; null = there is none' }),
    updatedBy: z.string().nullable(),
  })
  .meta({ id: 'ImportedKey' });
export type ImportedKeyView = z.infer<typeof ImportedKeyView>;

/** Secrets whose values stand encrypted in pipeline files, and the keys that open them. */
export const fileSecretOperations = {
  encryptValue: {
    method: 'post',
    path: '/api/v1/projects/{owner}/{project}/encrypted-values',
    summary: 'Encrypt a value with the key of the project, for a document of the kind "secret" in its pipeline file',
    action: 'secret:write',
    params: ProjectPath,
    body: z.object({ value: z.string().min(1).max(65_536) }),
    status: 200,
    ok: z.object({
      data: z.string().meta({ description: 'For "data" of the document; it opens in pipelines of this project alone' }),
    }),
    errors: ['PROJECT_NOT_FOUND', 'SECRET_KEY_WRONG'],
  },
  getImportedKey: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/imported-key',
    summary: 'Whether the project brought a key from another system, and who did; the key never leaves the server',
    action: 'secret:read',
    params: ProjectPath,
    status: 200,
    ok: ImportedKeyView,
    errors: ['PROJECT_NOT_FOUND'],
  },
  setImportedKey: {
    method: 'put',
    path: '/api/v1/projects/{owner}/{project}/imported-key',
    summary: 'Bring the key with which another system (Drone) has encrypted and signed the files of the project',
    action: 'project:configure',
    params: ProjectPath,
    body: z.object({
      key: z
        .string()
        .min(1)
        .max(256)
        .meta({ description: 'The secret of the repository there: 32 letters, digits and signs' }),
    }),
    status: 200,
    ok: ImportedKeyView,
    errors: ['PROJECT_NOT_FOUND', 'SECRET_KEY_WRONG'],
  },
  removeImportedKey: {
    method: 'delete',
    path: '/api/v1/projects/{owner}/{project}/imported-key',
    summary: 'Forget the key that the project brought: what was encrypted with it does not open any more',
    action: 'project:configure',
    params: ProjectPath,
    status: 204,
    errors: ['PROJECT_NOT_FOUND', 'SECRET_NOT_FOUND'],
  },
} as const satisfies Record<string, Operation>;
