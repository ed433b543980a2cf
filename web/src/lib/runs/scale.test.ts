import { describe, expect, it } from 'vitest';
import { at, between, ends, gapped, roomAbove, roundStep, ticks, wholeTicks } from './scale';

describe('ticks', () => {
  it('are round', () => {
    expect(ticks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticks(0.13, 0.31)).toEqual([0.15, 0.2, 0.25, 0.3]);
    expect(ticks(3, 3)).toEqual([3]);
    expect(roundStep(70, 5)).toBe(20);
  });
  it('are whole for epochs', () => {
    expect(wholeTicks(1, 3)).toEqual([1, 2, 3]);
    expect(wholeTicks(1, 20)).toEqual([1, 5, 10, 15, 20]);
    expect(wholeTicks(1, 1)).toEqual([1]);
  });
});

describe('ends', () => {
  it('hold all values within what cannot be passed', () => {
    expect(ends([0.35, 0.97], 0, 1)).toEqual([0.2, 1]);
    expect(ends([NaN, Infinity])).toBeNull();
  });
  it('leave room around a single value', () => {
    const [low, high] = ends([1], 0, 1)!;
    expect(low).toBeLessThan(high);
    expect(high).toBe(1);
    const flat = ends([0.5, 0.5], 0)!;
    expect(flat[0]).toBeLessThan(flat[1]);
  });
});

describe('a label', () => {
  it('knows where a line is between two epochs', () => {
    expect(between([4, 2, null], 1.25)).toBe(3.5);
    expect(between([4, 2, null], 2)).toBe(2);
    expect(between([4, 2, null], 2.5)).toBeNull();
    expect(between([4], 0.5)).toBeNull();
  });
  it('keeps out of the way of the lines beside it', () => {
    expect(roomAbove([200, 215], 30, 230)).toBe(true); // a loss that has fallen
    expect(roomAbove([40, 120], 30, 230)).toBe(false); // an accuracy that has risen
    expect(roomAbove([], 30, 230)).toBe(false);
  });
});

describe('a line', () => {
  const x = { low: 1, high: 3, start: 0, end: 100 }, y = { low: 0, high: 1, start: 50, end: 0 };
  it('goes from place to place', () => {
    expect(at(y, 0.5)).toBe(25);
    expect(gapped([1, 2, 3], [0, 0.5, 1], x, y)).toBe('M0.0 50.0L50.0 25.0L100.0 0.0');
  });
  it('has a gap where there is no number', () => {
    expect(gapped([1, 2, 3], [0, null, 1], x, y)).toBe('M0.0 50.0M100.0 0.0');
    expect(gapped([1, 2, 3], [NaN, 0.5, 1], x, y)).toBe('M50.0 25.0L100.0 0.0');
  });
});
