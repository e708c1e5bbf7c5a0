import { describe, expect, it } from 'vitest';
import type { Event, PushIntent } from '../../core/event.ts';
import { reachedIntents } from './judge-pushes.ts';
import { zeroObject } from './push-commands.ts';

const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((digit) => digit.repeat(40)) as [string, string, string, string];
const ref = 'refs/heads/main';
const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));

let ids = 0;
function intent(before: string, after: string, second = 10): PushIntent {
  ids += 1;
  return { id: ids, pushId: `push_${ids}`, projectId: 1, ref, before, after, personName: 'mei', createdAt: at(second) };
}
function event(before: string, after: string, second: number): Event {
  return {
    id: second,
    projectId: 1,
    kind: 'push',
    key: `${second}`,
    ref,
    before,
    after,
    personName: 'mei',
    parameters: {},
    createdAt: at(second),
  };
}
const judge = (intents: readonly PushIntent[], now: string, seen: string, events: readonly Event[] = []) =>
  reachedIntents(intents, new Map([[ref, now]]), new Map([[ref, seen]]), events).map(
    ({ before, after }) => before[0]! + after[0]!,
  );

describe('reachedIntents', () => {
  it('counts a push whose reference reads what it wanted', () => {
    expect(judge([intent(a, b)], b, a)).toEqual(['ab']);
  });

  it('drops a push whose reference stayed', () => {
    expect(judge([intent(a, b)], a, a)).toEqual([]);
  });

  it('counts a chain of pushes from where it began, in its order', () => {
    expect(judge([intent(b, c), intent(a, b), intent(c, d)], d, a)).toEqual(['ab', 'bc', 'cd']);
  });

  it('drops what comes after the place where the chain ended', () => {
    expect(judge([intent(a, b), intent(b, c)], b, a)).toEqual(['ab']);
  });

  it('counts one of two pushes of the same step', () => {
    expect(judge([intent(a, b), intent(a, b)], b, a)).toEqual(['ab']);
  });

  it('drops a push whose step has its event already', () => {
    expect(judge([intent(a, b)], b, b, [event(a, b, 20)])).toEqual([]);
  });

  it('counts a push from which a later one, that has its event, went on', () => {
    expect(judge([intent(a, b)], c, c, [event(b, c, 20)])).toEqual(['ab']);
  });

  it('counts a deletion and a reference that was made', () => {
    expect(judge([intent(a, zeroObject)], zeroObject, a)).toEqual(['a0']);
    expect(judge([intent(zeroObject, a)], a, zeroObject)).toEqual(['0a']);
  });

  it('drops a push back to where the last event left the reference', () => {
    expect(judge([intent(b, a)], a, a)).toEqual([]);
  });
});
