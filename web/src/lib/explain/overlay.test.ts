import { describe, expect, it } from 'vitest';
import { colour } from '../lut';
import { floats, greys, hatch, laid, shownRange, type Look } from './overlay';

const LOOK: Look = { mode: 'blend', sign: 'both', strength: 0.75, range: { high: 2, signed: true } };

function one(value: number, look: Partial<Look> = {}, grey = 200): number[] {
  const out = new Uint8ClampedArray(4);
  laid(Float32Array.of(value), Float32Array.of(grey), { ...LOOK, ...look }, out);
  return [...out];
}

function parts(rgb: number): number[] {
  return [rgb >> 16, (rgb >> 8) & 255, rgb & 255, 255];
}

describe('a map over a picture', () => {
  it('reads float32, little-endian, from base64', () => {
    const bytes = new Uint8Array(new Float32Array([0, -1.5, 3.25]).buffer);
    expect([...floats(btoa(String.fromCharCode(...bytes)))]).toEqual([0, -1.5, 3.25]);
  });

  it('pales the picture as draw/overlay.py does', () => {
    const [black, white] = greys(Uint8ClampedArray.of(0, 0, 0, 255, 255, 255, 255, 255));
    expect(black).toBeCloseTo(51, 4);
    expect(white).toBeCloseTo(255, 4);
  });

  it('leaves the picture where the value is zero, and hides three quarters of it at the largest', () => {
    expect(one(0)).toEqual([200, 200, 200, 255]);
    const [red = 0, green = 0, blue = 0] = parts(colour(2, LOOK.range));
    const mixed = [red, green, blue].map((c) => Math.round(200 * 0.25 + c * 0.75));
    one(2).slice(0, 3).forEach((c, i) => expect(Math.abs(c - (mixed[i] ?? 0))).toBeLessThanOrEqual(1));
    expect(one(99)).toEqual(one(2)); // beyond the range: its end
  });

  it('is the map alone in its own colours, the picture alone without them', () => {
    expect(one(-2, { mode: 'map' })).toEqual(parts(colour(-2, LOOK.range)));
    expect(one(2, { mode: 'picture' })).toEqual([200, 200, 200, 255]);
    expect(one(0, { mode: 'map' })).toEqual(parts(colour(0, LOOK.range)));
  });

  it('shows only what speaks for it, or against it', () => {
    expect(one(-2, { sign: 'for' })).toEqual(one(0));
    expect(one(2, { sign: 'for' })).toEqual(one(2));
    expect(one(2, { sign: 'against' })).toEqual(one(0));
    expect(shownRange(3, false, 'both')).toEqual({ high: 3, signed: false });
    expect(shownRange(3, false, 'against').signed).toBe(true);
  });

  it('hatches what lies below zero, every sixth diagonal of a square whose mean does', () => {
    const side = 84; // squares of 3 x 3
    const values = new Float32Array(side * side);
    for (let y = 0; y < 6; y++) values.fill(-1, y * side, y * side + 6);
    const out = new Uint8ClampedArray(values.length * 4).fill(200);
    hatch({ values, height: side, width: side }, LOOK, out);
    const striped = [...values.keys()].filter((i) => out[i * 4] !== 200).map((i) => [Math.floor(i / side), i % side]);
    expect(striped).toHaveLength(6);
    expect(striped.every(([y = 0, x = 0]) => (x + y) % 6 === 0 && x < 6 && y < 6)).toBe(true);
    const still = new Uint8ClampedArray(values.length * 4).fill(200);
    hatch({ values, height: side, width: side }, { ...LOOK, sign: 'for' }, still);
    expect(still.every((level) => level === 200)).toBe(true);
  });

  it('draws a map of zeros as paper, without a picture too', () => {
    const out = new Uint8ClampedArray(4);
    laid(Float32Array.of(0), null, { ...LOOK, range: { high: 0, signed: false } }, out);
    expect([...out]).toEqual([255, 255, 255, 255]);
    expect(one(0, { mode: 'map', range: { high: 0, signed: false } })).toEqual(parts(colour(0, { high: 1, signed: false })));
  });
});
