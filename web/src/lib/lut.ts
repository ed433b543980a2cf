// Bytes of a frame -> colours, the same as draw/colours.py paints: zero is paper, above it orange, below it blue.

import { DIVERGING, NOT_FINITE, SEQUENTIAL } from './lut.gen';

/** A frame's byte is 0 to 254 from `lo` to `hi` of its channel; 255 is what is no number (studio/frames.py). */
export const LEVELS = 254;

/** What the colours stand for: 0 to `high`, or -high to `high` where `signed`. */
export interface Range {
  high: number;
  signed: boolean;
}

/** Least and largest value -> the range that holds both; what a scale per channel, layer or network is made of. */
export function rangeOf(lo: number, hi: number): Range {
  return { high: Math.max(Math.abs(lo), Math.abs(hi)), signed: lo < 0 };
}

/** A channel's `lo` and `hi`, a range -> the colour of each byte, as a canvas' pixels want them in a Uint32Array. */
export function ramp(lo: number, hi: number, range: Range): Uint32Array {
  const made = new Uint32Array(256);
  for (let byte = 0; byte <= LEVELS; byte++) made[byte] = pixel(colour(lo + (byte / LEVELS) * (hi - lo), range));
  made[255] = pixel(NOT_FINITE);
  return made;
}

/** A value, a range -> 0xRRGGBB. Beyond the range: its end; NaN: grey. */
export function colour(value: number, { high, signed }: Range): number {
  if (Number.isNaN(value)) return NOT_FINITE;
  const table = signed ? DIVERGING : SEQUENTIAL;
  const low = signed ? -high : 0;
  const share = high > 0 ? (value - low) / (high - low) : signed ? 0.5 : 0;
  return table[even(Math.min(1, Math.max(0, share)) * (table.length - 1))] ?? NOT_FINITE;
}

/** Halves to the even neighbour, as numpy rounds. */
function even(x: number): number {
  const below = Math.floor(x);
  return x - below === 0.5 ? below + (below % 2) : Math.round(x);
}

const LITTLE = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** 0xRRGGBB -> one opaque pixel of ImageData seen as Uint32. */
export function pixel(rgb: number): number {
  const [red, green, blue] = [rgb >> 16, (rgb >> 8) & 255, rgb & 255];
  return (LITTLE ? (255 << 24) | (blue << 16) | (green << 8) | red : (red << 24) | (green << 16) | (blue << 8) | 255) >>> 0;
}

/** 0xRRGGBB -> "#rrggbb" for CSS. */
export function css(rgb: number): string {
  return `#${rgb.toString(16).padStart(6, '0')}`;
}
