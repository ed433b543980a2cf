import { expect, it } from 'vitest';
import { css, pixel } from '../lut';
import { NOT_FINITE } from '../lut.gen';
import { bytes, cellColour, colourPixels, inkOn, mapPixels, rangeOfAll } from './plane';

const text = (values: number[]) => btoa(String.fromCharCode(...values));
const plane = (values: number[], lo: number, hi: number) => ({ height: 1, width: values.length, lo, hi, data: text(values) });

it('reads base64', () => {
  expect([...bytes(text([0, 254, 255]))]).toEqual([0, 254, 255]);
});

it('paints a map by its values: its least, 0 and its largest', () => {
  const range = { high: 2, signed: true };
  const found = mapPixels(plane([0, 127, 254, 255], -2, 2), range);
  expect([...found].slice(0, 3)).toEqual([-2, 0, 2].map((value) => pixel(cellColour(value, range))));
  expect(found[3]).toBe(pixel(NOT_FINITE));
});

it('paints brightness from black to white', () => {
  const found = mapPixels(plane([0, 254], 0, 1), { high: 1, signed: false }, true);
  expect([...found]).toEqual([pixel(0), pixel(0xffffff)]);
});

it('shows one colour of a picture alone', () => {
  const picture = { height: 1, width: 2, data: text([1, 2, 3, 250, 251, 252]) };
  expect([...colourPixels(picture)]).toEqual([pixel(0x010203), pixel(0xfafbfc)]);
  expect([...colourPixels(picture, 'green')]).toEqual([pixel(0x000200), pixel(0x00fb00)]);
});

it('takes one range for several maps', () => {
  expect(rangeOfAll([plane([0], -1, 0.5), plane([0], 0, 3)])).toEqual({ high: 3, signed: true });
  expect(rangeOfAll([plane([0], 0, 3)])).toEqual({ high: 3, signed: false });
});

it('writes on every colour of the scale in the ink that can be read', () => {
  const light = (rgb: number) => {
    const [r, g, b] = [16, 8, 0].map((by) => ((rgb >> by) & 255) / 255).map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)) as [number, number, number];
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  for (let step = -20; step <= 20; step++) {
    const colour = cellColour(step / 20, { high: 1, signed: true });
    const ink = inkOn(colour) === '#000' ? 0 : 1;
    const [high, low] = [light(colour), ink].sort((a, b) => b - a) as [number, number];
    expect((high + 0.05) / (low + 0.05), css(colour)).toBeGreaterThan(4.5);
  }
});
