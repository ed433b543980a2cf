// One page of filters -> pixels: every filter a tile of its kernels, in its own colours or in those of the scale.

import type { KernelsHead } from '../api.gen';
import { colour, pixel, type Range } from '../lut';
import { mosaicOf, pointOf, type Mosaic } from './mosaic';

/** How a layer's filters are laid out: in colour the three kernels lie on each other. */
export function layoutOf(head: KernelsHead): Mosaic {
  const [, inputs, high, wide] = head.shape;
  return head.look === 'colour' ? mosaicOf(1, high, wide) : mosaicOf(inputs, high, wide);
}

export function rangeOfAll(head: KernelsHead): Range {
  return { high: head.high, signed: true };
}

/** Weights of the filter at `place` of the page -> opaque pixels of its tile, `ground` between the kernels. */
export function tile(head: KernelsHead, data: Float32Array, place: number, mosaic: Mosaic, ground: number): Uint32Array {
  const [, inputs, high, wide] = head.shape;
  const pixels = new Uint32Array(mosaic.width * mosaic.height).fill(pixel(ground));
  const range = rangeOfAll(head);
  const kernel = high * wide;
  const first = place * inputs * kernel;
  if (head.look === 'colour') {
    const [red = 0, green = 1, blue = 2] = head.colours ?? [];
    for (let i = 0; i < kernel; i++) {
      const level = (input: number) => Math.round(128 + (127 * (data[first + input * kernel + i] ?? 0)) / (head.high || 1));
      pixels[i] = pixel((level(red) << 16) | (level(green) << 8) | level(blue));
    }
    return pixels;
  }
  for (let input = 0; input < inputs; input++) {
    for (let i = 0; i < kernel; i++) {
      const [x, y] = pointOf(mosaic, input, Math.floor(i / wide), i % wide);
      pixels[y * mosaic.width + x] = pixel(colour(data[first + input * kernel + i] ?? NaN, range));
    }
  }
  return pixels;
}

/** Number of one filter's input -> what it reads: a colour of the picture, or the channel of the layer before. */
export function inputName(head: KernelsHead, place: number, input: number): string {
  const at = head.colours?.indexOf(input) ?? -1;
  const first = head.first_input[place] ?? 0;
  return ['red', 'green', 'blue'][at] ?? `input ${first + input}`;
}

/** Filter's place on the page, input, row, column -> the weight. */
export function weightOf(head: KernelsHead, data: Float32Array, place: number, input: number, row: number, column: number): number {
  const [, inputs, high, wide] = head.shape;
  return data[((place * inputs + input) * high + row) * wide + column] ?? NaN;
}
