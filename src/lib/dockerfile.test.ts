import { describe, expect, it } from 'vitest';
import { cacheMounts, findInstructionLine, imageUses, readDockerfile, replaced } from './dockerfile.ts';

/** The images that a Dockerfile names, with their lines. */
function imagesOf(text: string, args: Record<string, string> = {}): readonly string[] {
  return imageUses(readDockerfile(text), args).map(({ reference, line }) => `${line} ${reference}`);
}

describe('readDockerfile', () => {
  it('finds images of FROM, COPY and RUN, and neither stages nor scratch', () => {
    const text = `# comment
FROM --platform=linux/amd64 golang:1.24 AS Build
RUN --mount=type=bind,from=busybox,source=/bin,target=/b make
FROM scratch
COPY --from=build --chown=1 /app /app
COPY --from=0 /x /x
COPY --from=nginx:1 /etc/nginx /etc/nginx
FROM build
`;
    expect(imagesOf(text)).toEqual(['2 golang:1.24', '3 busybox', '7 nginx:1']);
    expect(imageUses(readDockerfile(text), {})[0]?.platform).toBe('linux/amd64');
  });

  it('puts arguments in, those of the build before the defaults of the file', () => {
    const text =
      'ARG VERSION=1.24\nARG BASE="golang:${VERSION}"\nFROM ${BASE}\nFROM node:${NODE:-24}${KIND:+-$KIND}\nARG VERSION=9\nFROM a:$VERSION\nFROM $NOBODY\n';
    expect(imagesOf(text)).toEqual(['3 golang:1.24', '4 node:24', '6 a:1.24', '7 $NOBODY']);
    expect(imagesOf(text, { VERSION: '2', KIND: 'slim' })[0]).toBe('3 golang:2');
  });

  it('reads continuations with comments between, heredocs, and another escape character', () => {
    const text = `# escape=\`
FROM a \`
  # not the end
  AS x
RUN <<EOF
FROM nothing
EOF
COPY --from=b \`
  /a /b
`;
    expect(imagesOf(text)).toEqual(['2 a', '8 b']);
    expect(imagesOf('FROM a\nRUN echo $((1 <<EOF))\nFROM b\n')).toEqual(['1 a', '3 b']);
  });

  it('replaces names in place, without a line more or less', () => {
    const text = 'FROM a:1 AS a\r\nCOPY --from=busybox /x /y\n';
    const changes = imageUses(readDockerfile(text), {}).map(({ offset, length }) => ({ offset, length, by: 'other' }));
    expect(replaced(text, changes)).toBe('FROM other AS a\r\nCOPY --from=other /x /y\n');
  });

  it('finds cache mounts with an id and without', () => {
    const text =
      'FROM a\nRUN --mount=type=cache,id=npm,target=/root/.npm \\\n  --mount=type=cache,target=/c --mount=type=secret,id=s ls\n';
    const mounts = cacheMounts(readDockerfile(text));
    expect(mounts.map(({ id, isNew }) => [id, isNew])).toEqual([
      ['npm', false],
      ['/c', true],
    ]);
    const changed = replaced(
      text,
      mounts.map(({ offset, length, id, isNew }) => ({ offset, length, by: `${isNew ? ',id=' : ''}mine/${id}` })),
    );
    expect(changed).toContain('--mount=type=cache,id=mine/npm,target=/root/.npm');
    expect(changed).toContain('--mount=type=cache,target=/c,id=mine//c ');
  });

  it('finds the line of an instruction by what a builder calls it', () => {
    const file = readDockerfile('FROM a\nRUN make \\\n  # why\n  test\nRUN ls\nRUN ls\n');
    expect(findInstructionLine(file, 'RUN make   test')).toBe(2);
    expect(findInstructionLine(file, 'RUN ls')).toBeUndefined();
  });

  it('knows a syntax directive, and only before everything else', () => {
    expect(readDockerfile('# escape=\\\n# syntax=docker/dockerfile:1\nFROM a\n').syntaxLine).toBe(2);
    expect(readDockerfile('FROM a\n# syntax=docker/dockerfile:1\n').syntaxLine).toBeUndefined();
  });

  it('takes any text, however long its lines are', () => {
    const began = performance.now();
    readDockerfile(`FROM ${'a'.repeat(300_000)}\n${'RUN \\\n'.repeat(50_000)}`);
    imagesOf(`FROM ${'--x '.repeat(50_000)}`);
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
