import { describe, expect, it } from 'vitest';
import { lintPipelineFile } from './lint.ts';

function remarksOn(image: string, settings: readonly string[]): readonly string[] {
  const text = [
    'kind: pipeline',
    'name: default',
    'steps:',
    '- name: image',
    `  image: ${image}`,
    '  settings:',
    '    repo: r.example/app',
    ...settings.map((line) => `    ${line}`),
  ].join('\n');
  return lintPipelineFile('.drone.yml', text).findings.map(({ code, line, message }) => `${line} ${code} ${message}`);
}

describe('the settings of a native build', () => {
  it('are known, all that the plugins have in common', () => {
    const known =
      `registry username password tags tag auto_tag auto_tag_suffix default_tags dockerfile context target build_args
      build_args_from_env args labels custom_labels cache_from dry_run purge mirror logins`.split(/\s+/);
    expect(remarksOn('plugins/docker', [...known.map((name) => `${name}: x`), 'platforms: linux/amd64'])).toEqual([]);
  });

  it('for AWS are known to the plugins for ECR, and told of at others', () => {
    const settings = ['access_key: a', 'secret_key: b', 'region: eu-west-1', 'create_repository: true'];
    expect(remarksOn('plugins/ecr', settings)).toEqual([]);
    expect(remarksOn('plugins/kaniko-ecr', settings)).toEqual([]);
    expect(remarksOn('plugins/docker', settings)[0]).toBe(
      '8 build.setting "access_key" of step "image" has no effect: AWS is asked for a login by "plugins/ecr" and its like only',
    );
  });

  it.each([
    ['insecure: true', 'whether a registry may be spoken to without TLS is for the container engine to say'],
    ['squash: true', 'the builder makes a layer of each instruction'],
    ['storage_driver: vfs', 'no daemon of its own is started'],
    ['registyr: x', 'the image is built natively, and the builder knows no such setting'],
  ])('without an effect are told of at their line: %s', (setting, why) => {
    const [remark, ...others] = remarksOn('plugins/docker', [setting]);
    expect(remark).toBe(`8 build.setting "${setting.split(':')[0]}" of step "image" has no effect: ${why}`);
    expect(others).toEqual([]);
  });
});
