import { z } from 'zod';
import { approvalPolicies } from '../core/approval.ts';
import { eventKinds } from '../core/event.ts';
import { hostTrusts, supersedableEvents, unavailablePolicies } from '../core/pipeline-settings.ts';
import { Role } from './accounts.ts';
import { instant, listOf, type Operation } from './operation.ts';
import { ProjectPath } from './projects.ts';
import { OrganisationPath } from './secrets.ts';

const events = z.array(z.enum(eventKinds));
const superseding = z.array(z.enum(supersedableEvents));
const rules = z.array(z.object({ target: z.string().min(1).max(200), role: Role })).max(50);
const dayMs = 86_400_000;

export const PipelineSettingsView = z
  .object({
    path: z
      .string()
      .nullable()
      .meta({ description: 'Pipeline file, or folder with a slash at its end; null = the usual places' }),
    disabledEvents: events.meta({ description: 'Events that start nothing' }),
    supersedingEvents: superseding.meta({
      description: 'Events whose newer pipelines cancel unfinished older ones of the same reference',
    }),
    evaluatesDronePaths: z.boolean(),
    toleratesFilteredSteps: z.boolean(),
    ignoresCaches: z.boolean().meta({ description: 'Whether steps run as if their files named no caches' }),
    runsBuildersAsContainers: z
      .boolean()
      .meta({ description: 'Whether plugins that build images run as containers, and not natively' }),
    stepTimeoutMs: z.int(),
    timeoutMs: z.int().nullable().meta({ description: 'Limit of a whole pipeline; null = none' }),
    promotionRules: rules.meta({
      description: 'The least role for targets that a glob matches; of several the highest',
    }),
    pullRequestApproval: z.enum(approvalPolicies).meta({
      description:
        'Whose pull requests wait for an approval: nobody’s, those of people who may not write, those of forks too, or all',
    }),
    ignoresForks: z.boolean().meta({ description: 'Whether pull requests from other projects start nothing' }),
    usesTargetFile: z
      .boolean()
      .meta({ description: 'Whether pull requests run what the pipeline file of their target branch says' }),
    requiresSignature: z
      .boolean()
      .meta({ description: 'Whether pipelines of files without the project’s signature wait for an approval' }),
    unavailable: z.enum(unavailablePolicies).meta({
      description: 'What becomes of a workflow that no connected runner can take: it waits for one, or is skipped',
    }),
    trusts: z.array(z.enum(hostTrusts)).meta({
      description: 'What of their hosts its steps may have; only site admins change it',
    }),
    forbidsSandbox: z.boolean().meta({
      description: 'Whether pipelines run in a container engine only; only site admins change it',
    }),
  })
  .meta({ id: 'PipelineSettings' });
export type PipelineSettingsView = z.infer<typeof PipelineSettingsView>;

/** What is absent stays. */
export const PipelineSettingsChange = z.object({
  path: z.string().min(1).max(1_000).nullable().optional(),
  disabledEvents: events.optional(),
  supersedingEvents: superseding.optional(),
  evaluatesDronePaths: z.boolean().optional(),
  toleratesFilteredSteps: z.boolean().optional(),
  ignoresCaches: z.boolean().optional(),
  runsBuildersAsContainers: z.boolean().optional(),
  stepTimeoutMs: z.int().min(1_000).max(dayMs).optional(),
  timeoutMs: z
    .int()
    .min(60_000)
    .max(7 * dayMs)
    .nullable()
    .optional(),
  promotionRules: rules.optional(),
  pullRequestApproval: z.enum(approvalPolicies).optional(),
  ignoresForks: z.boolean().optional(),
  usesTargetFile: z.boolean().optional(),
  requiresSignature: z.boolean().optional(),
  unavailable: z.enum(unavailablePolicies).optional(),
  trusts: z.array(z.enum(hostTrusts)).optional(),
  forbidsSandbox: z.boolean().optional(),
});
export type PipelineSettingsChange = z.infer<typeof PipelineSettingsChange>;

export const VariableView = z
  .object({ name: z.string(), value: z.string(), updatedAt: instant, updatedBy: z.string() })
  .meta({ id: 'Variable' });
export type VariableView = z.infer<typeof VariableView>;

const VariableBody = z.object({ value: z.string().max(8_192) });
const variableName = { name: z.string().min(1).max(100) };

export const settingsOperations = {
  getPipelineSettings: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipeline-settings',
    summary: 'How the pipelines of a project are run',
    action: 'project:read',
    params: ProjectPath,
    status: 200,
    ok: PipelineSettingsView,
    errors: ['PROJECT_NOT_FOUND'],
    hasEtag: true,
  },
  updatePipelineSettings: {
    method: 'patch',
    path: '/api/v1/projects/{owner}/{project}/pipeline-settings',
    summary: 'Change how the pipelines of a project are run',
    action: 'project:configure',
    params: ProjectPath,
    body: PipelineSettingsChange,
    status: 200,
    ok: PipelineSettingsView,
    errors: ['PROJECT_NOT_FOUND', 'PRECONDITION_FAILED'],
    hasEtag: true,
  },
  listVariables: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/variables',
    summary: 'Plain variables that every step of the project sees',
    action: 'variable:read',
    params: ProjectPath,
    status: 200,
    ok: listOf(VariableView),
    errors: ['PROJECT_NOT_FOUND'],
  },
  setVariable: {
    method: 'put',
    path: '/api/v1/projects/{owner}/{project}/variables/{name}',
    summary: 'Create or change a variable',
    action: 'variable:write',
    params: ProjectPath.extend(variableName),
    body: VariableBody,
    status: 200,
    ok: VariableView,
    errors: ['PROJECT_NOT_FOUND', 'VARIABLE_NAME_INVALID'],
  },
  removeVariable: {
    method: 'delete',
    path: '/api/v1/projects/{owner}/{project}/variables/{name}',
    summary: 'Remove a variable',
    action: 'variable:write',
    params: ProjectPath.extend(variableName),
    status: 204,
    errors: ['PROJECT_NOT_FOUND', 'VARIABLE_NOT_FOUND'],
  },
  listOrganisationVariables: {
    method: 'get',
    path: '/api/v1/organisations/{owner}/variables',
    summary: 'Plain variables that every step of all projects of an organisation sees',
    action: 'organisation-variable:read',
    params: OrganisationPath,
    status: 200,
    ok: listOf(VariableView),
    errors: ['ORGANISATION_NOT_FOUND'],
  },
  setOrganisationVariable: {
    method: 'put',
    path: '/api/v1/organisations/{owner}/variables/{name}',
    summary: 'Create or change a variable of an organisation; a project’s own of the same name wins',
    action: 'organisation-variable:write',
    params: OrganisationPath.extend(variableName),
    body: VariableBody,
    status: 200,
    ok: VariableView,
    errors: ['ORGANISATION_NOT_FOUND', 'VARIABLE_NAME_INVALID'],
  },
  removeOrganisationVariable: {
    method: 'delete',
    path: '/api/v1/organisations/{owner}/variables/{name}',
    summary: 'Remove a variable of an organisation',
    action: 'organisation-variable:write',
    params: OrganisationPath.extend(variableName),
    status: 204,
    errors: ['ORGANISATION_NOT_FOUND', 'VARIABLE_NOT_FOUND'],
  },
} as const satisfies Record<string, Operation>;
