import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { greeting } from '../greeting.js';

describe('greeting', () => {
  it('greets by name', () => assert.equal(greeting('Mei'), 'Hello, Mei!'));
  it('greets the world where there is no name', () => assert.equal(greeting('  '), 'Hello, world!'));
  it('speaks the first language it knows', () => assert.equal(greeting('Mei', 'xx, zh-CN;q=0.9, en'), '你好, Mei!'));
  it('speaks English to everybody else', () => assert.equal(greeting('Mei', 'tlh'), 'Hello, Mei!'));
});
