// Maps and pictures of the lessons, as the server sends them: bytes in base64 -> pixels of a canvas.

import type { Colours, Plane } from '../api.gen';
import { NOT_FINITE } from '../lut.gen';
import { LEVELS, type Range, colour, pixel, ramp } from '../lut';

/** Base64 -> bytes. */
export function bytes(text: string): Uint8Array {
  const raw = atob(text);
  const made = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) made[i] = raw.charCodeAt(i);
  return made;
}

/** Map, what its colours stand for -> its pixels; `grey` paints 0 to `high` from black to white. */
export function mapPixels(plane: Plane, range: Range, grey = false): Uint32Array {
  const table = grey ? greys(plane, range.high) : ramp(plane.lo, plane.hi, range);
  const from = bytes(plane.data);
  const made = new Uint32Array(from.length);
  for (let i = 0; i < from.length; i++) made[i] = table[from[i] ?? 255] ?? 0;
  return made;
}

function greys(plane: Plane, high: number): Uint32Array {
  const made = new Uint32Array(256).fill(pixel(NOT_FINITE));
  for (let byte = 0; byte <= LEVELS; byte++) {
    const value = plane.lo + (byte / LEVELS) * (plane.hi - plane.lo);
    const level = Math.round(255 * Math.min(1, Math.max(0, high > 0 ? value / high : 0)));
    made[byte] = pixel((level << 16) | (level << 8) | level);
  }
  return made;
}

export type Channel = 'all' | 'red' | 'green' | 'blue';
const SHIFTS: Record<Exclude<Channel, 'all'>, number> = { red: 0, green: 1, blue: 2 };

/** Picture, which colour of it -> its pixels; one colour alone is shown in its own hue. */
export function colourPixels(picture: Colours, channel: Channel = 'all'): Uint32Array {
  const from = bytes(picture.data);
  const made = new Uint32Array(picture.height * picture.width);
  const only = channel === 'all' ? -1 : SHIFTS[channel];
  for (let i = 0; i < made.length; i++) {
    const at = (k: number) => (only < 0 || only === k ? (from[i * 3 + k] ?? 0) : 0);
    made[i] = pixel((at(0) << 16) | (at(1) << 8) | at(2));
  }
  return made;
}

/** Pixels -> the canvas, which becomes as large as they are. */
export function put(canvas: HTMLCanvasElement, pixels: Uint32Array, width: number, height: number): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext('2d');
  if (!context || !width || !height) return;
  const image = context.createImageData(width, height);
  new Uint32Array(image.data.buffer).set(pixels);
  context.putImageData(image, 0, 0);
}

/** The range that holds all of these maps, so that one colour means one number in each. */
export function rangeOfAll(planes: readonly Plane[]): Range {
  const lo = Math.min(0, ...planes.map((p) => p.lo));
  const high = Math.max(...planes.flatMap((p) => [Math.abs(p.lo), Math.abs(p.hi)]), 0);
  return { high, signed: lo < 0 };
}

/** 0xRRGGBB -> the ink that is read on it: black or white, whichever has the greater contrast. */
export function inkOn(rgb: number): '#000' | '#fff' {
  const light = (level: number) => (level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4);
  const [red, green, blue] = [16, 8, 0].map((by) => light(((rgb >> by) & 255) / 255)) as [number, number, number];
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) ? '#000' : '#fff';
}

/** Value, range -> the colour of its cell. */
export function cellColour(value: number, range: Range): number {
  return colour(value, range);
}
