import { expect, it } from 'vitest';
import { pixel } from '../lut';
import { address, bitmap } from './bitmap';

it('a bitmap has its rows from the top and its colours in their order', () => {
  const file = bitmap(new Uint32Array([0x112233, 0x445566, 0x778899].map(pixel)), 1, 3);
  const at = new DataView(file.buffer);
  expect([...file.slice(0, 2)]).toEqual([0x42, 0x4d]);
  expect([at.getUint32(2, true), at.getUint32(10, true)]).toEqual([file.length, 54]);
  expect([at.getInt32(18, true), at.getInt32(22, true), at.getUint16(28, true)]).toEqual([1, -3, 32]);
  expect([...file.slice(54)]).toEqual([0x33, 0x22, 0x11, 255, 0x66, 0x55, 0x44, 255, 0x99, 0x88, 0x77, 255]);
});

it('its address holds all of it, also where it is long', () => {
  const pixels = new Uint32Array(100 * 100).fill(pixel(0x0a0b0c));
  const [kind, text = ''] = address(pixels, 100, 100).split(',');
  expect(kind).toBe('data:image/bmp;base64');
  expect(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))).toEqual(bitmap(pixels, 100, 100));
});
