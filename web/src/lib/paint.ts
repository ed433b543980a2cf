// A frame of maps -> one canvas: all its channels as a grid, coloured by one table of 256 entries for each channel.

import { type MapFrame, valueAt } from './frame';
import { type Range, pixel, ramp, rangeOf } from './lut';

export type Scale = 'channel' | 'layer' | 'network';

export interface Grid {
  columns: number;
  rows: number;
  /** Canvas pixels from one map to the next, the gap included. */
  stepX: number;
  stepY: number;
}

export interface Look {
  scale?: Scale;
  /** What the colours of scale "network" stand for; for "layer" the layer's own range is taken without it. */
  range?: Range;
  columns?: number;
  /** Canvas pixels between maps; they stay clear. */
  gap?: number;
}

/** Frame, wish -> how its maps lie: as many columns as asked for, or about as many as rows. A row of numbers fills one. */
export function gridOf(frame: MapFrame, { columns, gap = 1 }: Look = {}): Grid {
  const count = Math.max(1, frame.channels.length);
  const across = Math.max(1, Math.min(count, columns ?? Math.ceil(Math.sqrt(count))));
  return { columns: across, rows: Math.ceil(count / across), stepX: frame.width + gap, stepY: frame.height + gap };
}

/** Frame -> what the colours of one of its channels stand for. */
export function rangeIn(frame: MapFrame, plane: number, { scale = 'layer', range }: Look = {}): Range {
  if (scale === 'channel') return rangeOf(frame.lo[plane] ?? 0, frame.hi[plane] ?? 0);
  return range ?? rangeOf(finite(frame.fullLo), finite(frame.fullHi));
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

/** Draws the frame into the canvas, which becomes as large as its grid of cells: CSS scales it, `image-rendering:
 * pixelated` keeps cells sharp. Silent channels are hatched. */
export function paint(canvas: HTMLCanvasElement, frame: MapFrame, look: Look = {}): Grid {
  const { gap = 1 } = look;
  const grid = gridOf(frame, look);
  const width = Math.max(1, grid.columns * grid.stepX - gap);
  const height = Math.max(1, grid.rows * grid.stepY - gap);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext('2d');
  if (!context || frame.missing || !frame.channels.length) {
    context?.clearRect(0, 0, width, height);
    return grid;
  }
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const shared = look.scale === 'channel' ? undefined : rangeIn(frame, 0, look);
  for (let plane = 0; plane < frame.channels.length; plane++) {
    const range = shared ?? rangeIn(frame, plane, look);
    const table = ramp(frame.lo[plane] ?? 0, frame.hi[plane] ?? 0, range);
    const left = (plane % grid.columns) * grid.stepX;
    const top = Math.floor(plane / grid.columns) * grid.stepY;
    const hatched = frame.silent.includes(frame.channels[plane] ?? -1);
    fill(pixels, width, left, top, frame, plane, table, hatched);
  }
  context.putImageData(image, 0, 0);
  return grid;
}

const HATCH = pixel(0xb9bcb4);

function fill(
  pixels: Uint32Array,
  stride: number,
  left: number,
  top: number,
  frame: MapFrame,
  plane: number,
  table: Uint32Array,
  hatched: boolean,
): void {
  const { height, width, planes } = frame;
  const start = plane * height * width;
  for (let y = 0; y < height; y++) {
    const to = (top + y) * stride + left;
    const from = start + y * width;
    for (let x = 0; x < width; x++) {
      pixels[to + x] = hatched && (x + y) % 6 === 0 ? HATCH : (table[planes[from + x] ?? 255] ?? 0);
    }
  }
}

/** A place on the canvas in its own pixels -> the cell there; null in a gap and beyond the last map. `channel` is its
 * number in the layer, `row` and `column` count cells of the frame (see `inLayer` where the frame was reduced). */
export interface Cell {
  plane: number;
  channel: number;
  row: number;
  column: number;
  value: number;
}

export function cellAt(frame: MapFrame, grid: Grid, x: number, y: number): Cell | null {
  const across = Math.floor(x / grid.stepX);
  const down = Math.floor(y / grid.stepY);
  const column = Math.floor(x - across * grid.stepX);
  const row = Math.floor(y - down * grid.stepY);
  const plane = down * grid.columns + across;
  const channel = frame.channels[plane];
  if (across < 0 || across >= grid.columns || down < 0 || channel === undefined) return null;
  if (column >= frame.width || row >= frame.height) return null;
  return { plane, channel, row, column, value: valueAt(frame, plane, row, column) };
}

/** Cell of a frame -> row and column in the layer itself: a reduced frame's cell stands for a square of them, of which
 * this is the middle. A row of numbers has its place as the column. */
export function inLayer(frame: MapFrame, row: number, column: number): [number, number] {
  const [high = frame.height, wide = frame.width] = frame.shape.slice(-2);
  const factor = frame.shape.length === 3 ? Math.max(1, Math.round(Math.max(high / frame.height, wide / frame.width))) : 1;
  const half = Math.floor(factor / 2);
  return [row * factor + half, column * factor + half];
}
