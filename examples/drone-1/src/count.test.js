import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countWords } from './count.js';

test('words are counted whatever their case', () => {
  assert.deepEqual(
    [...countWords('One two, ONE.')],
    [
      ['one', 2],
      ['two', 1],
    ],
  );
});
