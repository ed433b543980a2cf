// Float maps -> canvas pixels, one point each; CSS enlarges them.

import { colour, pixel, type Range } from '../lut';

/** Numbers (height, width), range -> opaque pixels; `from`: cells from here on (in reading order) are veiled. */
export function painted(data: Float32Array, width: number, height: number, range: Range, veil: number, from = Infinity): Uint32Array {
  const pixels = new Uint32Array(width * height);
  const paper = pixel(veil);
  for (let i = 0; i < pixels.length; i++) pixels[i] = i >= from ? paper : pixel(colour(data[i] ?? NaN, range));
  return pixels;
}

export function put(canvas: HTMLCanvasElement, pixels: Uint32Array, width: number, height: number): void {
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  canvas.getContext('2d')?.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer as ArrayBuffer), width, height), 0, 0);
}
