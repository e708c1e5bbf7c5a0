import type { Feature } from '../feature.ts';
import type { SettingsDeps } from './deps.ts';
import { pipelineSettingsOperations } from './pipeline-settings.ts';
import { variableOperations } from './variable-operations.ts';

/** What a project can set about its pipelines, and plain variables of projects and organisations. */
export function settingsFeature(deps: SettingsDeps): Feature {
  return { name: 'settings', operations: { ...pipelineSettingsOperations(deps), ...variableOperations(deps) } };
}
