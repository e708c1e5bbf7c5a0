import { describe, expect, it } from 'vitest';
import { parseReference } from './reference.ts';

describe('parseReference', () => {
  const digest = `sha256:${'0'.repeat(64)}`;

  it.each([
    ['golang', { host: 'hub.example', repository: 'library/golang', tag: 'latest' }],
    ['team/app:1.2', { host: 'hub.example', repository: 'team/app', tag: '1.2' }],
    ['localhost:5000/app', { host: 'localhost:5000', repository: 'app', tag: 'latest' }],
    ['registry.example:5000/a/b:tag', { host: 'registry.example:5000', repository: 'a/b', tag: 'tag' }],
    [`app:1@${digest}`, { host: 'hub.example', repository: 'library/app', tag: '1', digest }],
    [`app@${digest}`, { host: 'hub.example', repository: 'library/app', digest }],
  ])('reads %s', (text, expected) => {
    expect(parseReference(text, 'hub.example')).toEqual({ tag: undefined, digest: undefined, ...expected });
  });

  it.each(['', 'App', 'a//b', 'registry.example/../etc', 'a:b:c', 'app@sha256:short', '-x', 'a b', 'a\nb'])(
    'refuses %j',
    (text) => {
      expect(() => parseReference(text, 'hub.example')).toThrow(expect.objectContaining({ code: 'IMAGE_NOT_FOUND' }));
    },
  );

  it('says that no default registry is configured', () => {
    expect(() => parseReference('golang:1.22', undefined)).toThrow(
      'it names no registry, and no default registry is configured',
    );
  });
});
