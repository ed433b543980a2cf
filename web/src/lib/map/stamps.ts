// Marks as pixels: a shape is drawn once and then stamped into the window's own bytes, which costs the same on every
// machine, with a GPU or without (20,000 marks in a few milliseconds).

export interface Stamp {
  size: number;
  n: number;
  dx: Int32Array;
  dy: Int32Array;
  /** Colour times opacity, and what is left of the ground. */
  r: Int32Array;
  g: Int32Array;
  b: Int32Array;
  rest: Int32Array;
  solid: Uint32Array;
}

/** The window's pixels, as sharp as the screen. */
export interface Surface {
  dense: number;
  width: number;
  height: number;
  image: ImageData;
  pixels: Uint32Array;
  bytes: Uint8ClampedArray;
}

export function surface(pen: CanvasRenderingContext2D, width: number, height: number, dense: number): Surface {
  const image = pen.createImageData(Math.max(1, Math.round(width * dense)), Math.max(1, Math.round(height * dense)));
  return { dense, width: image.width, height: image.height, image, pixels: new Uint32Array(image.data.buffer), bytes: image.data };
}

/** "#rrggbb" -> the pixel that shows it (little-endian ABGR). */
export function pixelOf(colour: string): number {
  const part = (at: number) => parseInt(colour.slice(at, at + 2), 16);
  return ((255 << 24) | (part(5) << 16) | (part(3) << 8) | part(1)) >>> 0;
}

/** SVG path of a shape in a 16 x 16 box, for legends. */
export const SHAPE_PATHS: Record<string, string> = {
  circle: 'M8 3a5 5 0 1 0 .01 0z',
  square: 'M3.5 3.5h9v9h-9z',
  triangle: 'M8 1.8l5.8 10.4H2.2z',
  diamond: 'M8 1.5L14.5 8 8 14.5 1.5 8z',
  cross: 'M3 4.6L4.6 3 8 6.4 11.4 3 13 4.6 9.6 8l3.4 3.4-1.6 1.6L8 9.6 4.6 13 3 11.4 6.4 8z',
};
const DRAWN_RADIUS = 5; // of the circle in those boxes

/** Colour, shape, radius in CSS pixels, ground around it ("": none), pixels to a CSS pixel -> Stamp. */
export function stamp(colour: string, shape: string, radius: number, halo: string, dense: number): Stamp {
  const factor = (radius / DRAWN_RADIUS) * dense;
  const size = 2 * Math.ceil(8 * factor + dense) + 1;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = size;
  const pen = canvas.getContext('2d', { willReadFrequently: true })!;
  const path = new Path2D(SHAPE_PATHS[shape] ?? SHAPE_PATHS.circle);
  pen.setTransform(factor, 0, 0, factor, size / 2 - 8 * factor, size / 2 - 8 * factor);
  if (halo) {
    pen.strokeStyle = halo;
    pen.lineWidth = (1.6 * dense) / factor;
    pen.lineJoin = 'round';
    pen.stroke(path);
  }
  pen.fillStyle = colour;
  pen.fill(path);
  return lifted(pen.getImageData(0, 0, size, size).data, size);
}

function lifted(made: Uint8ClampedArray, size: number): Stamp {
  const spots: number[] = []; // where something was drawn
  for (let k = 0; k < size * size; k++) if (made[4 * k + 3]! > 8) spots.push(k);
  const of = (value: (k: number) => number) => Int32Array.from(spots, value);
  const opaque = (k: number, part: number) => made[4 * k + part]! * made[4 * k + 3]! + 128;
  return {
    size, n: spots.length, dx: of((k) => k % size), dy: of((k) => Math.floor(k / size)),
    r: of((k) => opaque(k, 0)), g: of((k) => opaque(k, 1)), b: of((k) => opaque(k, 2)), rest: of((k) => 255 - made[4 * k + 3]!),
    solid: Uint32Array.from(spots, (k) => ((255 << 24) | (made[4 * k + 2]! << 16) | (made[4 * k + 1]! << 8) | made[4 * k]!) >>> 0),
  };
}

/** Stamps a mark with its middle at (x, y) in CSS pixels. */
export function put(on: Surface, mark: Stamp, x: number, y: number): void {
  const left = Math.round(x * on.dense - mark.size / 2), top = Math.round(y * on.dense - mark.size / 2);
  const { width, height } = on;
  if (left + mark.size <= 0 || top + mark.size <= 0 || left >= width || top >= height) return;
  const whole = left >= 0 && top >= 0 && left + mark.size <= width && top + mark.size <= height;
  for (let k = 0; k < mark.n; k++) {
    const px = left + mark.dx[k]!, py = top + mark.dy[k]!;
    if (!whole && (px < 0 || py < 0 || px >= width || py >= height)) continue;
    const at = py * width + px;
    if (mark.rest[k]! < 8) on.pixels[at] = mark.solid[k]!;
    else blend(on.bytes, mark, k, 4 * at);
  }
}

function blend(bytes: Uint8ClampedArray, mark: Stamp, k: number, o: number): void {
  const rest = mark.rest[k]!;
  const r = mark.r[k]! + bytes[o]! * rest, g = mark.g[k]! + bytes[o + 1]! * rest, b = mark.b[k]! + bytes[o + 2]! * rest;
  bytes[o] = (r + (r >> 8)) >> 8; // divided by 255
  bytes[o + 1] = (g + (g >> 8)) >> 8;
  bytes[o + 2] = (b + (b >> 8)) >> 8;
}
