import { describe, expect, it } from 'vitest';
import type { BuildPlan } from '../core/plan.ts';
import { type BuildRequest, readBuildRequest } from './build-request.ts';

const now = new Date('2026-11-26T00:00:00Z');
const plan: BuildPlan = {
  plugin: 'docker',
  ref: 'refs/heads/main',
  defaultBranch: 'main',
  revision: 'abc',
  source: 'https://git.example/shop.git',
  link: 'https://git.example/shop',
};

function read(settings: Record<string, string>, change: Partial<BuildPlan> = {}, tagsFile?: string) {
  return readBuildRequest({ ...plan, ...change }, settings, { tagsFile, now });
}

function requestOf(settings: Record<string, string>, change: Partial<BuildPlan> = {}, tagsFile?: string): BuildRequest {
  const reading = read(settings, change, tagsFile);
  if (reading.kind !== 'build') throw new Error(JSON.stringify(reading));
  return reading.request;
}

const repo = { PLUGIN_REPO: 'r.example/shop/app' };

describe('readBuildRequest', () => {
  it.each([
    ['docker', { PLUGIN_REPO: 'shop/app', PLUGIN_REGISTRY: 'r.example' }, 'docker.io/shop/app:latest'],
    ['docker', { PLUGIN_REPO: '127.0.0.1:5000/app' }, '127.0.0.1:5000/app:latest'],
    ['gcr', { PLUGIN_REPO: 'project/app' }, 'gcr.io/project/app:latest'],
    ['gcr', { PLUGIN_REPO: 'gcr.io/project/app' }, 'gcr.io/project/app:latest'],
    ['gar', { PLUGIN_REPO: 'p/app', PLUGIN_LOCATION: 'europe' }, 'europe-docker.pkg.dev/p/app:latest'],
    ['ecr', { PLUGIN_REPO: 'app', PLUGIN_REGISTRY: '1.ecr.example' }, '1.ecr.example/app:latest'],
    ['acr', { PLUGIN_REPO: 'app', PLUGIN_REGISTRY: 'https://a.example/' }, 'a.example/app:latest'],
    [
      'kaniko',
      { PLUGIN_REPO: 'app', PLUGIN_REGISTRY: 'k.example', PLUGIN_EXPAND_REPO: 'true' },
      'k.example/app:latest',
    ],
    ['kaniko', { PLUGIN_REPO: 'shop/app', PLUGIN_REGISTRY: 'k.example' }, 'docker.io/shop/app:latest'],
    ['kaniko-script', { PLUGIN_REPO: 'shop/app', PLUGIN_REGISTRY: 'k.example' }, 'k.example/shop/app:latest'],
    ['gantry', { PLUGIN_REPO: 'r.example/app', PLUGIN_REGISTRY: 'k.example' }, 'r.example/app:latest'],
  ] as const)('names the repository as %s does: %j', (plugin, settings, name) => {
    expect(requestOf(settings, { plugin }).push).toEqual([name]);
  });

  it('takes tags from the settings, else from the file of the workspace, else latest', () => {
    const tags = (settings: Record<string, string>, file?: string) =>
      requestOf({ ...repo, ...settings }, {}, file).push.map((name) => name.split(':')[1]);
    expect(tags({ PLUGIN_TAGS: '1, two' }, 'three')).toEqual(['1', 'two']);
    expect(tags({ PLUGIN_TAG: '1' })).toEqual(['1']);
    expect(tags({}, 'three,four\n')).toEqual(['three', 'four']);
    expect(tags({})).toEqual(['latest']);
  });

  it.each([
    ['refs/heads/main', '', ['latest']],
    ['refs/heads/main', 'alpine', ['alpine']],
    ['refs/tags/v1.2.3', '', ['1', '1.2', '1.2.3']],
    ['refs/tags/1.2.3', 'alpine', ['1-alpine', '1.2-alpine', '1.2.3-alpine']],
    ['refs/tags/v0.9.1', '', ['0.9', '0.9.1']],
    ['refs/tags/v1.2.3-rc.1', '', ['1.2.3-rc.1']],
    ['refs/tags/v08.01.02', '', ['08', '08.01', '08.01.02']],
  ])('makes tags of %s by itself (suffix "%s")', (ref, suffix, tags) => {
    const settings = { ...repo, PLUGIN_AUTO_TAG: 'true', PLUGIN_AUTO_TAG_SUFFIX: suffix, PLUGIN_TAGS: 'other' };
    expect(requestOf(settings, { ref }).push).toEqual(tags.map((tag) => `r.example/shop/app:${tag}`));
  });

  it('builds nothing for other branches under auto_tag, and refuses a tag that is no version', () => {
    const settings = { ...repo, PLUGIN_AUTO_TAG: 'true' };
    expect(read(settings, { ref: 'refs/heads/topic' })).toMatchObject({ kind: 'nothing' });
    expect(read(settings, { ref: 'refs/tags/banana' })).toMatchObject({
      kind: 'refused',
      message: 'Cannot tag the image: the tag "banana" is no version',
    });
  });

  it('reads arguments as a list, as a map and from variables', () => {
    expect(
      requestOf({
        ...repo,
        PLUGIN_BUILD_ARGS: 'A=1,B=x=y,TOKEN',
        PLUGIN_BUILD_ARGS_FROM_ENV: 'CI_COMMIT,ABSENT',
        TOKEN: 't',
        CI_COMMIT: 'abc',
      }).args,
    ).toEqual({ A: '1', B: 'x=y', TOKEN: 't', CI_COMMIT: 'abc' });
    expect(requestOf({ ...repo, PLUGIN_BUILD_ARGS: '{"A":"1,2","B":3}' }).args).toEqual({ A: '1,2', B: '3' });
  });

  it('logs in by settings, by the variables of old files, by keys and by lists', () => {
    const login = { registry: 'r.example', username: 'robot', password: 'word' };
    const at = { ...repo, PLUGIN_REGISTRY: 'https://r.example' };
    expect(requestOf({ ...at, PLUGIN_USERNAME: 'robot', PLUGIN_PASSWORD: 'word' }).credentials).toEqual([login]);
    expect(requestOf({ ...at, DOCKER_USERNAME: 'robot', DOCKER_PASSWORD: 'word' }).credentials).toEqual([login]);
    const key = JSON.stringify({ type: 'service' });
    expect(
      requestOf({ PLUGIN_REPO: 'p/a', PLUGIN_JSON_KEY: Buffer.from(key).toString('base64') }, { plugin: 'gcr' })
        .credentials,
    ).toEqual([{ registry: 'gcr.io', username: '_json_key', password: key }]);
    const logins = JSON.stringify([{ ...login, registry: 'https://r.example/v2/' }]);
    expect(requestOf({ ...repo, PLUGIN_LOGINS: logins }, { plugin: 'buildx' }).credentials).toEqual([login]);
    expect(read({ ...repo, PLUGIN_LOGINS: '[{"username":"a"}]' })).toMatchObject({ kind: 'refused' });
  });

  it.each([
    ['the image', 'gantry', {}, 'r.example:5000'],
    ['the first of several', 'gantry', { PLUGIN_REPO: 'r.example:5000/app,app,k.example/app' }, 'r.example:5000'],
    ['"registry"', 'gantry', { PLUGIN_REGISTRY: 'k.example' }, 'k.example'],
    ['an image of Docker', 'gantry', { PLUGIN_REPO: 'octocat/app' }, 'docker.io'],
    ['no name, as the plugin does', 'docker', {}, 'docker.io'],
  ] as const)('logs in to the registry of %s with %s', (_, plugin, more, registry) => {
    const login = { PLUGIN_USERNAME: 'robot', PLUGIN_PASSWORD: 'word' };
    const { credentials } = requestOf({ PLUGIN_REPO: 'r.example:5000/app', ...login, ...more }, { plugin });
    expect(credentials).toEqual([{ registry, username: 'robot', password: 'word' }]);
  });

  it('labels as the plugins do, unless told not to, and as build of .gantry.yml does not', () => {
    expect(requestOf({ ...repo, PLUGIN_CUSTOM_LABELS: 'a=b,c' }).labels).toEqual({
      a: 'b',
      c: '',
      'org.opencontainers.image.created': '2026-11-26T00:00:00.000Z',
      'org.opencontainers.image.revision': 'abc',
      'org.opencontainers.image.source': 'https://git.example/shop.git',
      'org.opencontainers.image.url': 'https://git.example/shop',
    });
    expect(requestOf({ ...repo, PLUGIN_AUTO_LABEL: 'false' }).labels).toEqual({});
    expect(requestOf({ ...repo, PLUGIN_LABELS: '{"a":"b"}' }, { plugin: 'gantry' }).labels).toEqual({ a: 'b' });
  });

  it('pushes nothing in a dry run', () => {
    expect(requestOf({ ...repo, PLUGIN_DRY_RUN: 'true' }).push).toEqual([]);
  });

  it('gives secrets to the build by their ids', () => {
    expect(requestOf({ ...repo, PLUGIN_SECRETS_FROM_ENV: 'npm=NPM_TOKEN', NPM_TOKEN: 'x' }).secrets).toEqual({
      npm: 'x',
    });
    expect(requestOf({ ...repo, PLUGIN_SECRETS: 'id=npm,env=NPM_TOKEN', NPM_TOKEN: 'x' }).secrets).toEqual({
      npm: 'x',
    });
    expect(requestOf({ ...repo, PLUGIN_SECRETS: '{"npm":"x"}' }, { plugin: 'gantry' }).secrets).toEqual({ npm: 'x' });
    expect(read({ ...repo, PLUGIN_SECRETS: 'id=npm,src=/etc/passwd' })).toMatchObject({ kind: 'refused' });
    expect(read({ ...repo, PLUGIN_SECRETS_FROM_ENV: 'npm=ABSENT' })).toMatchObject({ kind: 'refused' });
  });

  it('asks AWS for the login of an ECR, in the region of its registry, and names what it answers', () => {
    const keys = { PLUGIN_ACCESS_KEY: 'AKID', PLUGIN_SECRET_KEY: 'word' };
    const asked = requestOf({ ...keys, PLUGIN_REPO: 'shop/app' }, { plugin: 'ecr' });
    expect(asked.ecr).toEqual([
      { region: 'us-east-1', keys: { accessKey: 'AKID', secretKey: 'word' }, create: [], scansOnPush: false },
    ]);
    const registry = '1.dkr.ecr.cn-north-1.amazonaws.com.cn';
    const ecrLogins = [{ registry, username: 'AWS', password: 'given' }];
    const answered = readBuildRequest(
      { ...plan, plugin: 'ecr' },
      { ...keys, PLUGIN_REPO: 'shop/app' },
      { tagsFile: undefined, now, ecrLogins },
    );
    expect(answered).toMatchObject({
      kind: 'build',
      request: { push: [`${registry}/shop/app:latest`], credentials: ecrLogins },
    });
    const full = { ...keys, PLUGIN_REPO: `${registry}/shop/app:1`, PLUGIN_CREATE_REPOSITORY: 'true' };
    expect(requestOf(full, { plugin: 'ecr' })).toMatchObject({
      push: [`${registry}/shop/app:1`],
      ecr: [{ region: 'cn-north-1', registry, create: ['shop/app'] }],
    });
    expect(requestOf({ ...full, PLUGIN_DRY_RUN: 'true' }, { plugin: 'ecr' }).ecr).toEqual([]);
    const logins = JSON.stringify([
      { registry: `https://${registry}`, aws_access_key_id: 'AKID', aws_secret_access_key: 'word' },
    ]);
    expect(requestOf({ ...repo, PLUGIN_LOGINS: logins }, { plugin: 'buildx' })).toMatchObject({
      credentials: [],
      ecr: [{ region: 'cn-north-1', registry }],
    });
  });

  it.each([
    [{ PLUGIN_REPO: 'shop/app' }, 'name the "registry", or give "access_key" and "secret_key"'],
    [
      { PLUGIN_REPO: 'a/b', PLUGIN_ACCESS_KEY: 'a', PLUGIN_SECRET_KEY: 'b', PLUGIN_REGION: 'evil.example/#' },
      '"evil.example/#" is no region',
    ],
    [{ PLUGIN_REPO: 'r.example/a/b', PLUGIN_TAGS: Array.from({ length: 101 }, (_, i) => i).join(',') }, 'may have 100'],
  ])('refuses %j of an ECR', (settings, message) => {
    expect(read(settings as Record<string, string>, { plugin: 'ecr' })).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining(message) as string,
    });
  });

  it.each([
    [{}, '"repo" names no repository'],
    [{ PLUGIN_REPO: 'Shop/App' }, 'lower case'],
    [{ PLUGIN_REPO: '../../etc' }, 'is no name of a repository'],
    [{ PLUGIN_REPO: 'a/b?x=y' }, 'is no name of a repository'],
    [{ PLUGIN_REPO: 'a/b', PLUGIN_TAGS: 'feature/x' }, '"feature/x" is no tag'],
  ])('refuses %j', (settings, message) => {
    expect(read(settings as Record<string, string>)).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining(message) as string,
    });
  });
});
