import { describe, expect, it } from 'vitest';
import { parseImageRule, rewriteImage } from './image-rule.ts';

const rules = (...texts: readonly string[]) => texts.map(parseImageRule);
const digest = `@sha256:${'a'.repeat(64)}`;

describe('rewriteImage', () => {
  it.each([
    ['golang:1.22', 'golang:* -> base/golang', 'base/golang:1.22'],
    ['golang', 'golang:* -> base/golang', 'base/golang'],
    ['golang', 'golang -> base/golang', 'base/golang'],
    ['golang:1.22', 'golang -> base/golang', 'base/golang:1.22'],
    ['docker.io/library/golang:1.22', 'golang:* -> base/golang:*', 'base/golang:1.22'],
    ['docker.io/golang:1.22', 'golang:* -> base/golang:*', 'base/golang:1.22'],
    [
      'index.docker.io/library/golang:1',
      'docker.io/library/* -> registry.example/hub/*',
      'registry.example/hub/golang:1',
    ],
    ['golang:1.22', 'docker.io/library/* → registry.example:5000/hub/*', 'registry.example:5000/hub/golang:1.22'],
    ['plugins/slack:1', 'docker.io/* -> registry.example/hub/*', 'registry.example/hub/plugins/slack:1'],
    ['python:3.11-slim', 'python:*-slim -> base/python:*', 'base/python:3.11'],
    ['maven:3-eclipse-temurin-17', 'maven:3-*-17 -> base/maven:3', 'base/maven:3'],
    ['quay.example/a/b:1', 'quay.example/* -> registry.example/*', 'registry.example/a/b:1'],
    [`golang:1.22${digest}`, 'docker.io/library/* -> registry.example/*', `registry.example/golang:1.22${digest}`],
    [`golang${digest}`, 'golang:* -> registry.example/golang', `registry.example/golang${digest}`],
    ['localhost:5000/app', 'localhost:5000/* -> registry.example/*', 'registry.example/app'],
    ['a/x-y:1', 'a/*-*:* -> b.example/*/*:v*', 'b.example/x/y:v1'],
  ])('pulls %s under "%s" as %s', (written, rule, pulled) => {
    expect(rewriteImage(written, rules(rule))).toEqual({ reference: pulled, rule: 1 });
  });

  it.each([
    ['golang:1.22', 'golang:1.21 -> base/golang'],
    ['golang', 'golang:1.* -> base/golang'],
    ['team/golang:1', 'golang:* -> base/golang'],
    ['registry.example/golang:1', 'golang:* -> base/golang'],
    ['base/golang:1.22', 'docker.io/* -> registry.example/*'],
    ['devops/git', 'docker.io/* -> registry.example/*'],
    ['ab', 'ab*b -> c*'],
  ])('leaves %s under "%s"', (written, rule) => {
    expect(rewriteImage(written, rules(rule))).toBeUndefined();
  });

  it('takes the first rule that matches, and does not rewrite its answer again', () => {
    const ordered = rules(
      'python:* -> golang:*',
      'golang:1.22* -> base/golang:1.22',
      'golang:* -> registry.example/go',
    );
    expect(rewriteImage('golang:1.22-alpine', ordered)).toEqual({ reference: 'base/golang:1.22', rule: 2 });
    expect(rewriteImage('golang:1.21', ordered)).toEqual({ reference: 'registry.example/go:1.21', rule: 3 });
    expect(rewriteImage('python:3', ordered)).toEqual({ reference: 'golang:3', rule: 1 });
  });

  it('answers at once whatever the pattern', () => {
    const [rule] = rules(`${'*a'.repeat(8)}/b -> c`);
    expect(rewriteImage('a'.repeat(500), [rule!])).toBeUndefined();
  });
});

describe('parseImageRule', () => {
  it.each([
    ['golang', 'write "golang:* -> base/golang", not "golang"'],
    ['-> base/golang', 'write "golang:* -> base/golang"'],
    ['golang -> a -> b', 'write "golang:* -> base/golang"'],
    ['golang -> base/*', '"base/*" has more stars than "golang"'],
    ['golang -> base/go lang', 'has a space or a digest in it'],
    [`golang${digest} -> base/golang`, 'has a space or a digest in it'],
    [`${'*-'.repeat(9)} -> b`, 'has more than 8 stars'],
    [`${'x'.repeat(600)} -> b`, 'is longer than 512'],
  ])('refuses "%s"', (text, message) => {
    expect(() => parseImageRule(text)).toThrow(message);
  });
});
