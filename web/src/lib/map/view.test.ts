import { describe, expect, it } from 'vitest';
import { laidOut, type Laid } from './laid';
import { across, down, fitted, lines, mixed, nearestTo, placeX, placeY, step, walk } from './view';

function laid(x: number[], y: number[]): Laid {
  const names = x.map((_, i) => `photo ${i}`);
  const columns = [
    { name: 'x', type: 'f4', width: 1, offset: 0 },
    { name: 'y', type: 'f4', width: 1, offset: 4 * x.length },
    { name: 'near', type: 'i4', width: 2, offset: 8 * x.length },
    { name: 'wrong', type: 'u1', width: 1, offset: 16 * x.length },
  ];
  let text = JSON.stringify({ count: x.length, names, columns });
  text += ' '.repeat((4 - (new TextEncoder().encode(text).length % 4)) % 4);
  const head = new TextEncoder().encode(text);
  const buffer = new ArrayBuffer(4 + head.length + 17 * x.length);
  new DataView(buffer).setUint32(0, head.length, true);
  new Uint8Array(buffer).set(head, 4);
  new Float32Array(buffer, 4 + head.length, 2 * x.length).set([...x, ...y]);
  new Int32Array(buffer, 4 + head.length + 8 * x.length, 2 * x.length).set(x.flatMap((_, i) => [i, i + 10]));
  new Uint8Array(buffer, 4 + head.length + 16 * x.length).set(x.map((_, i) => i % 2));
  return laidOut('id', buffer);
}

describe('a map from bytes', () => {
  it('is read column by column', () => {
    const map = laid([0.25, 0.5, 1], [0, 0.75, 1]);
    expect([...map.x]).toEqual([0.25, 0.5, 1]);
    expect([...map.y]).toEqual([0, 0.75, 1]);
    expect([...map.near]).toEqual([0, 10, 1, 11, 2, 12]);
    expect(map.nearby).toBe(2);
    expect([...map.wrong!]).toEqual([0, 1, 0]);
  });
});

describe('the view', () => {
  const map = laid([0.2, 0.8, 0.5], [0.4, 0.6, 0.5]);
  it('shows all points with one scale for both axes, the middle in the middle', () => {
    const l = lines(fitted(map, 800, 400), { k: 1, x: 0, y: 0 });
    for (let i = 0; i < 3; i++) {
      expect(across(l, map.x[i]!)).toBeGreaterThan(0);
      expect(across(l, map.x[i]!)).toBeLessThan(800);
      expect(down(l, map.y[i]!)).toBeGreaterThan(0);
      expect(down(l, map.y[i]!)).toBeLessThan(400);
    }
    expect(across(l, 0.5)).toBeCloseTo(400, 3);
    expect(down(l, 0.5)).toBeCloseTo(200, 3);
  });
  it('goes back from pixels to places', () => {
    const l = lines(fitted(map, 800, 400), { k: 3.5, x: -120, y: 40 });
    expect(placeX(l, across(l, 0.37))).toBeCloseTo(0.37, 9);
    expect(placeY(l, down(l, 0.91))).toBeCloseTo(0.91, 9);
  });
  it('finds the photo under the pointer among those that are lit', () => {
    const l = lines(fitted(map, 800, 400), { k: 1, x: 0, y: 0 });
    const at = [across(l, map.x[2]!) + 3, down(l, map.y[2]!)] as const;
    expect(nearestTo(map, Uint8Array.of(1, 1, 1), l, ...at)).toBe(2);
    expect(nearestTo(map, Uint8Array.of(1, 1, 0), l, ...at)).toBe(-1);
  });
  it('does not fall over points that all lie in one place', () => {
    const one = laid([0.5, 0.5], [0.5, 0.5]);
    expect(Number.isFinite(fitted(one, 300, 200).scale)).toBe(true);
  });
});

describe('orders', () => {
  it('mixes every photo once, always the same', () => {
    expect([...mixed(500)].sort((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, i) => i));
    expect([...mixed(500)]).toEqual([...mixed(500)]);
    expect([...mixed(500)]).not.toEqual(Array.from({ length: 500 }, (_, i) => i));
  });
  it('walks by strips and steps over what is not lit', () => {
    const map = laid([0.9, 0.01, 0.02, 0.91], [0.1, 0.9, 0.1, 0.05]);
    const way = walk(map);
    expect([...way]).toEqual([2, 1, 3, 0]);
    const lit = Uint8Array.of(1, 0, 1, 1);
    expect(step(way, lit, -1, 1)).toBe(2);
    expect(step(way, lit, 2, 1)).toBe(3);
    expect(step(way, lit, 2, -1)).toBe(0);
    expect(step(way, new Uint8Array(4), -1, 1)).toBe(-1);
  });
});
