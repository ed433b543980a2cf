// A brush on pixels: colour, grey, blur. Works on arrays, so that what is painted is exact and tested without a screen.

export interface Raster {
  data: Uint8ClampedArray;
  width: number;
  height: number;
}

export type Mode = 'colour' | 'grey' | 'blur';
export type Colour = readonly [number, number, number];
export type Point = readonly [number, number];

/** Cells to each side that a blurred pixel is the mean of, at most. */
const MOST_BLUR = 8;

/** Paints a disc: `source` is the picture as it was before the stroke, which grey and blur are made of. */
export function dab(target: Raster, source: Raster, [x, y]: Point, radius: number, mode: Mode, colour: Colour): void {
  const { width, height } = target;
  const reach = Math.min(MOST_BLUR, Math.max(1, Math.round(radius / 2)));
  for (let row = Math.max(0, Math.ceil(y - radius)); row <= Math.min(height - 1, y + radius); row++) {
    for (let column = Math.max(0, Math.ceil(x - radius)); column <= Math.min(width - 1, x + radius); column++) {
      if ((row - y) ** 2 + (column - x) ** 2 > radius ** 2) continue;
      const [r, g, b] = mode === 'colour' ? colour : mode === 'grey' ? grey(source, row, column) : mean(source, row, column, reach);
      const at = 4 * (row * width + column);
      target.data[at] = r;
      target.data[at + 1] = g;
      target.data[at + 2] = b;
    }
  }
}

/** Discs along a line, half a radius apart. */
export function stroke(target: Raster, source: Raster, from: Point, to: Point, radius: number, mode: Mode, colour: Colour): void {
  const steps = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / Math.max(0.5, radius / 2)));
  for (let i = 0; i <= steps; i++) {
    const share = i / steps;
    dab(target, source, [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])], radius, mode, colour);
  }
}

/** "#ff8000" -> [255, 128, 0]. */
export function rgb(hex: string): Colour {
  const value = parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** ITU-R 601-2, as the network's own grey (surgery/shift.py). */
function grey({ data, width }: Raster, row: number, column: number): Colour {
  const at = 4 * (row * width + column);
  const level = 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;
  return [level, level, level];
}

function mean({ data, width, height }: Raster, row: number, column: number, reach: number): Colour {
  const sum = [0, 0, 0];
  let count = 0;
  for (let y = Math.max(0, row - reach); y <= Math.min(height - 1, row + reach); y++) {
    for (let x = Math.max(0, column - reach); x <= Math.min(width - 1, column + reach); x++) {
      const at = 4 * (y * width + x);
      for (let c = 0; c < 3; c++) sum[c]! += data[at + c]!;
      count++;
    }
  }
  return [sum[0]! / count, sum[1]! / count, sum[2]! / count];
}
