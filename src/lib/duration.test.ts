import { describe, expect, it } from 'vitest';
import { formatDuration, parseDurationMs } from './duration.ts';
import { formatSize, parseSizeBytes } from './size.ts';

describe('parseDurationMs', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
    ['', undefined],
    ['30', undefined],
    ['30s x', undefined],
    ['-5s', undefined],
  ])('reads %j as %s', (text, ms) => expect(parseDurationMs(text)).toBe(ms));
});

describe('formatDuration', () => {
  it.each([
    [12, '12ms'],
    [4_200, '4.2s'],
    [41_000, '41s'],
    [189_000, '3m 09s'],
    [3_725_000, '1h 02m'],
  ])('writes %i ms as %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
});

describe('parseSizeBytes', () => {
  it.each([
    ['512MiB', 536_870_912],
    ['4096', 4_096],
    ['1.5 KiB', 1_536],
    ['many', undefined],
  ])('reads %j as %s', (text, bytes) => expect(parseSizeBytes(text)).toBe(bytes));
});

describe('formatSize', () => {
  it.each([
    [812, '812 B'],
    [4_300, '4.2 KiB'],
    [296_747_008, '283 MiB'],
  ])('writes %i as %s', (bytes, text) => expect(formatSize(bytes)).toBe(text));
});
