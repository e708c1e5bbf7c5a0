import type { PipelineSettingsChange, PipelineSettingsView } from '../api/settings.ts';
import { approvalPolicies } from '../core/approval.ts';
import { GantryError } from '../core/errors.ts';
import { eventKinds } from '../core/event.ts';
import { roles } from '../core/permission.ts';
import { hostTrusts, supersedableEvents, unavailablePolicies } from '../core/pipeline-settings.ts';
import { formatDuration } from '../lib/duration.ts';
import type { Cli } from './cli.ts';
import { durationMs, oneOf } from './options.ts';

/** A setting as the command line writes it: `key=value`. */
interface SettingWords {
  show(settings: PipelineSettingsView, cli: Cli): string;
  read(text: string, cli: Cli): PipelineSettingsChange;
}

/** Every setting by its key, in the order in which they are shown. */
export const settingWords: Readonly<Record<string, SettingWords>> = {
  path: {
    show: ({ path }, { texts }) => path ?? texts.usualPlaces,
    read: (text) => ({ path: text === '' ? null : text }),
  },
  'disabled-events': {
    show: ({ disabledEvents }, { texts }) => disabledEvents.join(',') || texts.none,
    read: (text, cli) => ({ disabledEvents: listOf(cli, 'disabled-events', text, eventKinds) }),
  },
  'auto-cancel': {
    show: ({ supersedingEvents }, { texts }) => supersedingEvents.join(',') || texts.none,
    read: (text, cli) => ({ supersedingEvents: listOf(cli, 'auto-cancel', text, supersedableEvents) }),
  },
  'drone-paths': flag('drone-paths', 'evaluatesDronePaths'),
  'tolerate-filtered-steps': flag('tolerate-filtered-steps', 'toleratesFilteredSteps'),
  'ignore-caches': flag('ignore-caches', 'ignoresCaches'),
  'builders-as-containers': flag('builders-as-containers', 'runsBuildersAsContainers'),
  'pull-request-approval': {
    show: ({ pullRequestApproval }) => pullRequestApproval,
    read: (text, cli) => ({ pullRequestApproval: oneOf(cli, 'pull-request-approval', text, approvalPolicies) }),
  },
  'ignore-forks': flag('ignore-forks', 'ignoresForks'),
  'target-file': flag('target-file', 'usesTargetFile'),
  'require-signature': flag('require-signature', 'requiresSignature'),
  unavailable: {
    show: ({ unavailable }) => unavailable,
    read: (text, cli) => ({ unavailable: oneOf(cli, 'unavailable', text, unavailablePolicies) }),
  },
  trusted: {
    show: ({ trusts }, { texts }) => trusts.join(',') || texts.none,
    read: (text, cli) => ({ trusts: listOf(cli, 'trusted', text, hostTrusts) }),
  },
  'forbid-sandbox': flag('forbid-sandbox', 'forbidsSandbox'),
  'step-timeout': {
    show: ({ stepTimeoutMs }) => formatDuration(stepTimeoutMs),
    read: (text, cli) => ({ stepTimeoutMs: durationMs(cli, text) }),
  },
  timeout: {
    show: ({ timeoutMs }, { texts }) => (timeoutMs === null ? texts.none : formatDuration(timeoutMs)),
    read: (text, cli) => ({ timeoutMs: text === '' ? null : durationMs(cli, text) }),
  },
  promotion: {
    show: ({ promotionRules }, { texts }) =>
      promotionRules.map(({ target, role }) => `${target}:${role}`).join(' ') || texts.none,
    read: (text, cli) => ({
      promotionRules: text
        .split(/\s+/)
        .filter((rule) => rule !== '')
        .map((rule) => {
          const at = rule.lastIndexOf(':');
          if (at <= 0) throw new GantryError('USAGE_WRONG', cli.texts.errors.badPromotion(rule));
          return { target: rule.slice(0, at), role: oneOf(cli, 'promotion', rule.slice(at + 1), roles) };
        }),
    }),
  },
};

type Flag = {
  [Key in keyof PipelineSettingsView]: PipelineSettingsView[Key] extends boolean ? Key : never;
}[keyof PipelineSettingsView];

function flag(key: string, field: Flag): SettingWords {
  return {
    show: (settings) => (settings[field] ? 'on' : 'off'),
    read: (text, cli) => ({ [field]: oneOf(cli, key, text, ['on', 'off']) === 'on' }),
  };
}

function listOf<Word extends string>(cli: Cli, key: string, text: string, words: readonly Word[]): Word[] {
  return text
    .split(',')
    .filter((word) => word.trim() !== '')
    .map((word) => oneOf(cli, key, word.trim(), words));
}
