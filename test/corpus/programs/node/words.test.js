import assert from 'node:assert/strict';
import test from 'node:test';
import { countWords } from './words.js';

test('counts words whatever their case', () => {
  assert.deepEqual(countWords('the crane lifts The beam'), [
    ['the', 2],
    ['beam', 1],
    ['crane', 1],
    ['lifts', 1],
  ]);
});
