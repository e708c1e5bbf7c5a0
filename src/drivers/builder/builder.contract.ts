import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Builder, BuildResult, BuildSpec } from './builder.ts';

/** A builder under test, with a registry that wants a login. */
export interface BuilderWorld {
  readonly builder: Builder;
  /** Host and port. */
  readonly registry: string;
  readonly login: { readonly username: string; readonly password: string };
  /** Names of all images that the builder still has under a name, but for those that it keeps for later builds. */
  imagesLeft(): Promise<readonly string[]>;
  /** What the registry has of an image: its history and the text of its configuration. */
  describe(name: string): Promise<string>;
  close(): Promise<void>;
}

/** What every builder does. `base/busybox` is an image that it can build on. */
export function describeBuilder(name: string, open: () => Promise<BuilderWorld>): void {
  describe(`the builder ${name}`, () => {
    let world: BuilderWorld;
    beforeAll(async () => {
      world = await open();
    });
    afterAll(() => world?.close());

    const build = async (
      dockerfile: string,
      change: Partial<BuildSpec> = {},
    ): Promise<{ readonly result: BuildResult; readonly log: string }> => {
      const lines: string[] = [];
      const result = await world.builder.build({
        dockerfile,
        dockerfilePath: 'Dockerfile',
        context: contextOf({ 'hello.txt': 'hello\n' }),
        args: {},
        labels: {},
        cacheFrom: [],
        ignoresCache: false,
        pull: 'default',
        credentials: [],
        secrets: {},
        cacheScope: 'project/protected',
        push: [],
        onLine: (line) => void lines.push(line),
        signal: new AbortController().signal,
        ...change,
      });
      return { result, log: lines.join('\n') };
    };

    it('says for which platform it builds', async () => {
      const { isUsable, platforms } = await world.builder.probe();
      expect(isUsable).toBe(true);
      expect(platforms).toHaveLength(1);
    });

    it('builds on a composed image, with arguments, labels, a target and the context, and keeps nothing', async () => {
      const { result, log } = await build(
        'ARG BASE\nFROM ${BASE} AS first\nARG WORD\nCOPY hello.txt /\nRUN echo "$WORD"; cat /hello.txt\nFROM first\nRUN exit 1\n',
        { args: { BASE: 'base/busybox', WORD: 'said' }, target: 'first', labels: { a: 'b' } },
      );
      expect(result).toMatchObject({ kind: 'built', pushed: [] });
      expect(log).toContain('said');
      expect(log).toContain('hello');
      expect(log).toContain('FROM base/busybox');
      expect(await world.imagesLeft()).toEqual([]);
    });

    it('tells the line and the output of the instruction that failed', async () => {
      const { result, log } = await build('FROM base/busybox\n\nRUN echo before; \\\n  exit 3\n');
      expect(result).toMatchObject({ kind: 'failed', message: expect.stringContaining('Dockerfile:3: ') as string });
      expect(log).toContain('before');
      expect(await world.imagesLeft()).toEqual([]);
    });

    it.each([
      ['a Dockerfile that is none', 'FRUM base/busybox\n'],
      ['an image that does not exist', 'FROM base/nothing\n'],
      ['a variable that nobody sets', 'FROM $NOTHING\n'],
      ['another platform', 'FROM --platform=linux/s390x base/busybox\n'],
      ['a file that the context lacks', 'FROM base/busybox\nCOPY absent /\n'],
    ])('takes %s for a fault of the build', async (_what, dockerfile) => {
      expect((await build(dockerfile)).result.kind).toBe('failed');
    });

    it('gives secrets to those that mount them, and to nothing that stays', async () => {
      const secret = 'canary-of-the-build';
      const push = [`${world.registry}/team/secret:1`];
      const credentials = [{ registry: world.registry, ...world.login }];
      const { result } = await build(
        // The secret itself stands nowhere in the file, or the history would have it from there.
        'FROM base/busybox\nRUN --mount=type=secret,id=word test "$(tr a-z A-Z < /run/secrets/word)" = CANARY-OF-THE-BUILD\nRUN ! test -s /run/secrets/word\n',
        { secrets: { word: secret }, push, credentials },
      );
      expect(result, JSON.stringify(result)).toMatchObject({ kind: 'built' });
      expect(await world.describe(push[0]!)).not.toContain(secret);
    });

    it('shows files to what runs on the images that look for them, in any stage and in no layer', async () => {
      const push = [`${world.registry}/team/files:1`];
      const { result, log } = await build(
        'ARG BASE=base/busybox\nFROM $BASE AS first\nRUN cat /etc/servers\nFROM first\nRUN cat /etc/servers; ls -l /etc/servers; \\\n  exit 4\n',
        { baseFiles: { isFor: (image) => image === 'base/busybox', files: { '/etc/servers': 'server.example\n' } } },
      );
      expect(result).toMatchObject({ kind: 'failed', message: expect.stringContaining('Dockerfile:5: ') as string });
      expect(log.match(/^#\d+ server.example$/gm)).toHaveLength(2);
      expect(log).toContain('-r--r--r--');
      expect(log).not.toContain('--mount');
      const other = await build('FROM base/busybox\nRUN ! cat /etc/servers\n', {
        baseFiles: { isFor: () => false, files: { '/etc/servers': 'server.example\n' } },
      });
      expect(other.result.kind, other.log).toBe('built');
      const { result: pushed } = await build('FROM base/busybox\nRUN test -s /etc/servers\n', {
        baseFiles: { isFor: () => true, files: { '/etc/servers': 'server.example\n' } },
        credentials: [{ registry: world.registry, ...world.login }],
        push,
      });
      expect(pushed.kind).toBe('built');
      expect(
        (
          await build(`FROM ${push[0]}\nRUN ! test -e /etc/servers\n`, {
            credentials: [{ registry: world.registry, ...world.login }],
          })
        ).result.kind,
      ).toBe('built');
      expect(await world.describe(push[0]!)).not.toContain('servers,');
    });

    it('pushes under each name with the login that fits, and tells the digest', async () => {
      const push = ['1', 'two'].map((tag) => `${world.registry}/team/app:${tag}`);
      const { result, log } = await build('FROM base/busybox\nCOPY hello.txt /\n', {
        push,
        credentials: [
          { registry: 'elsewhere.example', username: 'x', password: 'y' },
          { registry: world.registry, ...world.login },
        ],
      });
      expect(result).toMatchObject({ kind: 'built', pushed: push.map((name) => ({ name })) });
      if (result.kind === 'built') expect(log).toContain(result.pushed[0]!.digest);
      expect(await world.imagesLeft()).toEqual([]);
    });

    it.each([
      ['no login', []],
      ['a wrong password', [{ username: 'robot', password: 'wrong' }]],
    ])('fails to push with %s', async (_what, logins) => {
      const credentials = logins.map((login) => ({ registry: world.registry, ...login }));
      const { result } = await build('FROM base/busybox\nCOPY hello.txt /\n', {
        push: [`${world.registry}/team/app:1`],
        credentials,
      });
      expect(result.kind).toBe('failed');
      expect(await world.imagesLeft()).toEqual([]);
    });

    it('does not judge a build whose registry is away', async () => {
      const away = build('FROM base/busybox\nCOPY hello.txt /\n', { push: ['127.0.0.1:9/app:1'] });
      await expect(away).rejects.toMatchObject({ kind: 'unavailable' });
      expect(await world.imagesLeft()).toEqual([]);
    });

    it('keeps cache mounts for builds of the same scope, and of no other', async () => {
      const dockerfile = (number: number) =>
        `FROM base/busybox\nRUN --mount=type=cache,target=/kept echo ${number}; ls /kept; touch /kept/mark\n`;
      expect((await build(dockerfile(1), { cacheScope: 'one' })).log).not.toMatch(/^#\d+ mark$/m);
      expect((await build(dockerfile(2), { cacheScope: 'one' })).log).toMatch(/^#\d+ mark$/m);
      expect((await build(dockerfile(3), { cacheScope: 'two' })).log).not.toMatch(/^#\d+ mark$/m);
    });

    it('ends with its signal, in the middle of an instruction', async () => {
      const stop = new AbortController();
      const reason = new Error('taken back');
      const ended = build('FROM base/busybox\nRUN echo begun; sleep 600\n', {
        signal: stop.signal,
        onLine: (line) => {
          if (line.endsWith(' begun')) stop.abort(reason);
        },
      });
      await expect(ended).rejects.toBe(reason);
    });
  });
}

function contextOf(files: Readonly<Record<string, string>>) {
  const tar = pack();
  for (const [name, text] of Object.entries(files)) tar.entry({ name }, text);
  tar.finalize();
  return tar;
}
