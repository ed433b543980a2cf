import { describe, expect, it } from 'vitest';
import type { KernelsHead } from '../api.gen';
import { colour, pixel } from '../lut';
import { inputName, layoutOf, tile, weightOf } from './filters';
import { mosaicOf, pointOf, weightAt, zoomFor } from './mosaic';
import { unpacked } from './packet';
import { painted } from './paint';

describe('the mosaic of a filter', () => {
  it('is nearly square and every point leads back to its weight', () => {
    for (const [inputs, high, wide] of [[1, 3, 3], [3, 7, 7], [16, 3, 3], [512, 3, 3], [6, 1, 5], [64, 1, 1], [1000, 1, 1]] as const) {
      const mosaic = mosaicOf(inputs, high, wide);
      expect(mosaic.across * mosaic.down).toBeGreaterThanOrEqual(inputs);
      if (inputs >= 9) expect(Math.max(mosaic.width / mosaic.height, mosaic.height / mosaic.width)).toBeLessThan(1.5);
      for (let input = 0; input < inputs; input++) {
        const [x, y] = pointOf(mosaic, input, high - 1, wide - 1);
        expect(x).toBeLessThan(mosaic.width);
        expect(y).toBeLessThan(mosaic.height);
        expect(weightAt(mosaic, inputs, x + 0.5, y + 0.5)).toEqual({ input, row: high - 1, column: wide - 1 });
      }
    }
  });
  it('has nothing on its lines and past its last kernel', () => {
    const mosaic = mosaicOf(3, 3, 3);
    expect(weightAt(mosaic, 3, 3.5, 0)).toBeNull();
    expect(weightAt(mosaic, 3, 5, 5)).toBeNull();
    expect(weightAt(mosaic, 3, -1, 0)).toBeNull();
  });
  it('is drawn with whole pixels unless it is far too large', () => {
    expect(zoomFor(mosaicOf(1, 3, 3), 60)).toBe(20);
    expect(zoomFor(mosaicOf(512, 3, 3), 60)).toBe(1);
    expect(zoomFor(mosaicOf(25088, 1, 1), 60)).toBeLessThan(1);
  });
});

const head = (over: Partial<KernelsHead>): KernelsHead => ({
  layer: 'conv', kind: 'Conv2d', shape: [2, 3, 1, 2], groups: 1, look: 'colour', colours: [2, 1, 0], start: 0, filters: [],
  first_input: [0, 0], low: -1, top: 1, high: 1, mean: 0, deviation: 0, zeros: 0, weak: 0, strongest: 1, ...over,
});
const data = Float32Array.from([0, 1, 0, 0, -1, 0, 0.5, 0, 0, 0, 0, 0.25]);

describe('tiles', () => {
  it('show kernels over the picture in their colours, whatever the order of the channels', () => {
    const shown = head({});
    const mosaic = layoutOf(shown);
    expect([mosaic.width, mosaic.height]).toEqual([2, 1]);
    const pixels = tile(shown, data, 0, mosaic, 0xffffff);
    expect([...pixels]).toEqual([pixel(0x018080), pixel(0x8080ff)]);
    expect([0, 1, 2].map((input) => inputName(shown, 0, input))).toEqual(['blue', 'green', 'red']);
    expect(weightOf(shown, data, 1, 2, 0, 1)).toBe(0.25);
  });
  it('show the others in the colours of the scale, and name grouped inputs by their channel', () => {
    const shown = head({ look: 'grid', colours: null, first_input: [0, 3] });
    const mosaic = layoutOf(shown);
    const pixels = tile(shown, data, 1, mosaic, 0x123456);
    const [x, y] = pointOf(mosaic, 0, 0, 0);
    expect(pixels[y * mosaic.width + x]).toBe(pixel(colour(0.5, { high: 1, signed: true })));
    expect(inputName(shown, 1, 2)).toBe('input 5');
  });
});

describe('bytes', () => {
  it('come with their head', () => {
    const text = new TextEncoder().encode('{"height":1} ');
    const buffer = new ArrayBuffer(4 + 16 + 8);
    new DataView(buffer).setUint32(0, 16, true);
    new Uint8Array(buffer, 4, 16).fill(32).set(text);
    new Float32Array(buffer, 20).set([1.5, -2]);
    expect(unpacked<{ height: number }>(buffer)).toEqual({ head: { height: 1 }, data: Float32Array.from([1.5, -2]) });
  });
  it('are painted up to the cell that is made, the others veiled', () => {
    const range = { high: 1, signed: false };
    const pixels = painted(Float32Array.from([0, 1, 1, 0]), 2, 2, range, 0xeeeee9, 2);
    expect([...pixels]).toEqual([pixel(colour(0, range)), pixel(colour(1, range)), pixel(0xeeeee9), pixel(0xeeeee9)]);
  });
});
