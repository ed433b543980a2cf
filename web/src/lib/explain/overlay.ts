// A map over a picture, as draw/overlay.py lays it: the picture in grey, coloured the more the larger the value.

import { colour, type Range } from '../lut';

export type Mode = 'blend' | 'map' | 'picture';
export type Sign = 'both' | 'for' | 'against';

/** How much of the picture the largest value hides at first. */
export const STRENGTH = 0.75;
const STEPS = 2048;

/** A map's values with their height and width, row by row. */
export interface Values {
  values: Float32Array;
  height: number;
  width: number;
}

/** Base64 of float32, little-endian -> the numbers. */
export function floats(text: string): Float32Array {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

/** Pixels as a canvas gives them (RGBA) -> their greys, paled so that no dark place hides a colour. */
export function greys(rgba: Uint8ClampedArray): Float32Array {
  const found = new Float32Array(rgba.length / 4);
  for (let i = 0, at = 0; i < found.length; i++, at += 4) {
    const luma = 0.299 * (rgba[at] ?? 0) + 0.587 * (rgba[at + 1] ?? 0) + 0.114 * (rgba[at + 2] ?? 0);
    found[i] = luma * 0.8 + 255 * 0.2;
  }
  return found;
}

export interface Look {
  mode: Mode;
  sign: Sign;
  /** 0 to 1: how much of the picture the largest value hides. */
  strength: number;
  range: Range;
}

/** A map, its picture's greys, how to look at it -> RGBA of the same size. Without a picture it lies on paper. */
export function laid(values: Float32Array, grey: Float32Array | null, look: Look, out: Uint8ClampedArray): void {
  const { range, sign, strength } = look;
  const table = colours(range);
  const low = range.signed ? -range.high : 0;
  const scale = range.high > 0 ? (STEPS - 1) / (range.high - low) : 0;
  const zero = range.signed ? (STEPS - 1) / 2 : 0;
  const alone = look.mode === 'map';
  for (let i = 0, at = 0; i < values.length; i++, at += 4) {
    let value = values[i] ?? 0;
    if ((sign === 'for' && value < 0) || (sign === 'against' && value > 0)) value = 0;
    const share = range.high > 0 ? Math.min(1, Math.abs(value) / range.high) : 0;
    const weight = alone ? 1 : look.mode === 'picture' ? 0 : strength * Math.sqrt(share);
    const step = scale ? Math.round(Math.min(STEPS - 1, Math.max(0, (value - low) * scale))) : Math.round(zero);
    const rgb = table[step] ?? 0;
    const under = (grey?.[i] ?? 255) * (1 - weight);
    out[at] = under + (rgb >> 16) * weight;
    out[at + 1] = under + ((rgb >> 8) & 255) * weight;
    out[at + 2] = under + (rgb & 255) * weight;
    out[at + 3] = 255;
  }
}

const CELLS = 28; // squares along the longer side whose mean decides what is hatched: single pixels would give specks
const PITCH = 6;
const HATCH_FROM = 0.1; // share of the range below zero
const FINEST = 64; // px of a side below which stripes would be as wide as the map's own pixels

/** Stripes over what lies below zero, as draw/overlay.py lays them: the sign is seen in a grey print, too. */
export function hatch({ values, height, width }: Values, { range, sign }: Look, out: Uint8ClampedArray): void {
  const side = Math.max(height, width);
  if (!range.signed || !range.high || sign === 'for' || side < FINEST) return;
  const square = Math.ceil(side / CELLS);
  for (let top = 0; top < height; top += square) {
    for (let left = 0; left < width; left += square) {
      const [bottom, right] = [Math.min(height, top + square), Math.min(width, left + square)];
      let sum = 0;
      for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += values[y * width + x] ?? 0;
      if (sum / ((bottom - top) * (right - left)) >= -HATCH_FROM * range.high) continue;
      for (let y = top; y < bottom; y++) {
        for (let x = left + ((PITCH - ((left + y) % PITCH)) % PITCH); x < right; x += PITCH) stripe(out, (y * width + x) * 4);
      }
    }
  }
}

/** A dark dot on a light colour, a light one on a dark colour. */
function stripe(out: Uint8ClampedArray, at: number): void {
  const luma = 0.299 * (out[at] ?? 0) + 0.587 * (out[at + 1] ?? 0) + 0.114 * (out[at + 2] ?? 0);
  const [red, green, blue] = luma < 90 ? [225, 225, 225] : [28, 32, 36];
  out[at] = red;
  out[at + 1] = green;
  out[at + 2] = blue;
}

function colours(range: Range): Uint32Array {
  const low = range.signed ? -1 : 0;
  const unit = { high: 1, signed: range.signed };
  return Uint32Array.from({ length: STEPS }, (_, i) => colour(low + (i / (STEPS - 1)) * (1 - low), unit));
}

/** The range of a map that ends at `high`, as far as the chosen sign shows it. */
export function shownRange(high: number, signed: boolean, sign: Sign): Range {
  return { high, signed: signed || sign === 'against' };
}
