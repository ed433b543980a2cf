import { describe, expect, it } from 'vitest';
import { bytes, compact, number, percent, plural, points, seconds, shape, signed, unbroken, whole } from './words';

const plain = (text: string) => text.replaceAll('\u202f', ' ');

describe('words', () => {
  it.each([
    [0.8766, '87.7 %'],
    [1, '100.0 %'],
    [0, '0.0 %'],
    [0.0000001, '< 0.1 %'],
    [0.99999, '> 99.9 %'],
    [NaN, '–'],
  ])('percent of %d', (share, said) => expect(plain(percent(share))).toBe(said));

  it.each([
    [0.0312, '+3.1 points'],
    [-0.5, '−50.0 points'],
    [-0.0000001, '0.0 points'],
  ])('points of %d', (difference, said) => expect(plain(points(difference))).toBe(said));

  it.each([
    [999, '999'],
    [1000, '1 k'],
    [11689512, '11.7 M'],
    [999_950, '1 M'],
    [3.6e9, '3.6 G'],
    [-2048, '-2.05 k'],
  ])('compact of %d', (count, said) => expect(plain(compact(count))).toBe(said));

  it.each([
    [0.0123456, '0.01235'],
    [1234.56, '1 235'],
    [12345.678, '12 350'],
    [-0.5, '−0.5'],
    [1.2e-9, '1.2e−9'],
    [3e12, '3e12'],
    [-Infinity, '−∞'],
    [0.000123456, '0.0001235'],
  ])('number of %d', (value, said) => expect(plain(number(value))).toBe(said));

  it.each([
    [0.0123, '12.3 ms'],
    [0.9999, '1.0 s'],
    [3.21, '3.2 s'],
    [59.7, '1 min 0 s'],
    [75, '1 min 15 s'],
    [4000, '1 h 7 min'],
    [7199, '2 h 0 min'],
  ])('seconds of %d', (time, said) => expect(plain(seconds(time))).toBe(said));

  it('counts, sizes and shapes', () => {
    expect(plain(whole(11689512))).toBe('11 689 512');
    expect(plain(bytes(1536))).toBe('1.54 kB');
    expect(plain(bytes(1))).toBe('1 byte');
    expect(plural(1, 'class', 'classes')).toBe('1 class');
    expect(plain(plural(1000, 'class', 'classes'))).toBe('1 000 classes');
    expect(shape([64, 56, 56])).toBe('64 × 56 × 56');
    expect(signed(1.5)).toBe('+1.5');
    expect(signed(0)).toBe('0');
  });

  it('a percent sign stays with its number', () => {
    expect(unbroken('20.8 % of 5 photos, a % sign')).toBe('20.8\u202f% of 5 photos, a % sign');
  });
});
