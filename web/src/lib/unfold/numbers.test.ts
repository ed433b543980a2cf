import { describe, expect, it } from 'vitest';
import { colour } from '../lut';
import { gait, PACES } from './play';
import { brief, briefer, inkOn, sideOf, together, WRITABLE } from './numbers';

describe('brief', () => {
  it('fits a small cell, as the figures of draw/arithmetic.py', () => {
    const said = [0, 0.0004, 0.0312, -0.5, 1.234, -12.34, 456.7, 12345].map(brief);
    expect(said).toEqual(['0', '4e-4'.replace('-', '−'), '0.031', '−0.500', '1.23', '−12.3', '457', '12345']);
    expect([-0.042, 0.5, 10.5, 0].map(briefer)).toEqual(['−.042', '.500', '10.5', '0']);
    expect(brief(null)).toBe('–');
    expect(brief(2.8e11)).toBe('3e11');
  });
});

describe('together', () => {
  it('holds all numbers, with a sign where one is below zero', () => {
    expect(together([[1, 2], [null, 3]], null)).toEqual({ high: 3, signed: false });
    expect(together([[1]], [[-4]])).toEqual({ high: 4, signed: true });
    expect(together(null)).toEqual({ high: 0, signed: false });
  });
});

describe('ink', () => {
  it('is read on every colour of the scale: contrast of 4.5 or more', () => {
    const light = (rgb: number) => {
      const parts = [rgb >> 16, (rgb >> 8) & 255, rgb & 255].map((level) => {
        const share = level / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * (parts[0] ?? 0) + 0.7152 * (parts[1] ?? 0) + 0.0722 * (parts[2] ?? 0);
    };
    for (let n = -100; n <= 100; n++) {
      const ground = light(colour(n / 100, { high: 1, signed: true }));
      const contrast = inkOn(colour(n / 100, { high: 1, signed: true })) === '#000' ? (ground + 0.05) / 0.05 : 1.05 / (ground + 0.05);
      expect(contrast).toBeGreaterThan(4.5);
    }
  });
});

describe('sizes and paces', () => {
  it('write numbers into kernels up to 7 x 7', () => {
    for (const n of [1, 2, 3, 5, 7]) expect(sideOf(n, n)).toBeGreaterThanOrEqual(WRITABLE);
    expect(sideOf(11, 11)).toBeLessThan(WRITABLE);
    expect(sideOf(64, 64)).toBe(3);
  });
  it('cross a map in 20 seconds where that is asked, cell by cell otherwise', () => {
    expect(gait('steady', [16, 112, 112]).by).toBe(1);
    const { wait, by } = gait('map', [16, 112, 112]);
    expect((112 * 112 * wait) / by / 1000).toBeLessThanOrEqual(20.01);
    expect(gait('map', [8]).by).toBe(1);
    expect(PACES.map((one) => gait(one.name, [3, 3]).wait)).toEqual([1000 / 1.5, 1000 / 6, 1000 / 12]);
  });
});
