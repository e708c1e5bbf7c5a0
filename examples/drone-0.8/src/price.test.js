import assert from 'node:assert/strict';
import { test } from 'node:test';
import { priceOf } from './price.js';

test('an apple has its price', () => assert.equal(priceOf('apple'), 3));
test('what is not sold has none', () => assert.equal(priceOf('toString'), undefined));
