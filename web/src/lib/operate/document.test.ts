import { describe, expect, it } from 'vitest';
import { atRest, filled, fromLog, listed, mended, numbers, placed, set, toLog, typed } from './document';

const scale = { edit: 'scale_weights', layer: 'conv1', factor: 1 };
const control = { fields: [{ paths: [['factor']], rest: 1 }] } as never;

describe('an edit', () => {
  it('takes a value at a path and leaves the old one alone', () => {
    const old = { edit: 'set_input', mean: [0, 0, 0] };
    expect(set(old, ['mean', 1], 2)).toEqual({ edit: 'set_input', mean: [0, 2, 0] });
    expect(old.mean).toEqual([0, 0, 0]);
    expect(set({ edit: 'x' }, ['size', 0], 3)).toEqual({ edit: 'x', size: [3] });
  });

  it('takes one value at several paths', () => {
    const both = { edit: 'together', edits: [{ to: 'a' }, { to: 'b' }] };
    expect(filled(both, { paths: [['edits', 0, 'to'], ['edits', 1, 'to']] }, 'c')).toEqual({ edit: 'together', edits: [{ to: 'c' }, { to: 'c' }] });
  });
});

describe('the list of edits', () => {
  it('gets a new edit at its end, an old one in its place, and loses one that says nothing', () => {
    const other = { edit: 'remove', layer: 'drop' };
    const twice = { ...scale, factor: 2 };
    expect(placed([other], control, twice, null)).toEqual([other, twice]);
    expect(placed([twice, other], control, { ...scale, factor: 3 }, 0)).toEqual([{ ...scale, factor: 3 }, other]);
    expect(placed([twice, other], control, scale, 0)).toEqual([other]);
    expect(placed([other], control, scale, null)).toEqual([other]);
    expect(atRest({ fields: [] } as never, scale)).toBe(false);
  });

  it('is mended in place of the refused edit, or cut there', () => {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((edit) => ({ edit }));
    expect(mended([a!, b!, c!], 1, [d!])).toEqual([a, d, c]);
    expect(mended([a!, b!, c!], 1, [])).toEqual([a]);
    expect(mended([a!, b!], -1, [])).toEqual([a]);
  });
});

it('goes by equal factors where a slider does', () => {
  expect(fromLog(0, 1e-7, 10)).toBe(1e-7);
  expect(fromLog(1000, 1e-7, 10)).toBe(10);
  expect(fromLog(500, 0.25, 4)).toBe(1);
  for (const value of [1e-5, 0.001, 0.5]) expect(fromLog(toLog(value, 1e-7, 10), 1e-7, 10) / value).toBeCloseTo(1, 1);
});

it('reads what people type', () => {
  expect([typed('0,5'), typed('−2'), typed('1e-3'), typed(''), typed('x'), typed('Infinity')]).toEqual([0.5, -2, 0.001, null, null, null]);
  expect(numbers('3, 5-7', 16)).toEqual([3, 5, 6, 7]);
  expect(numbers('', 16)).toEqual([]);
  expect([numbers('16', 16), numbers('7-5', 16), numbers('a', 16)]).toEqual([null, null, null]);
  expect(listed([3, 5, 6, 7])).toBe('3, 5–7');
  expect(numbers(listed([0, 1, 4]), 5)).toEqual([0, 1, 4]);
});
