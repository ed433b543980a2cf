// From places in [0, 1] to pixels of the window and back.

import type { Laid } from './laid';

/** The whole plane in the window: pixels for its unit length, and where the middle of the points lies. */
export interface Fit {
  scale: number;
  left: number;
  top: number;
}

/** What d3-zoom keeps: screen = k * fitted + (x, y). */
export interface Shift {
  k: number;
  x: number;
  y: number;
}

const MARGIN = 0.06;

/** Points, size of the window -> the Fit in which all of them are seen. */
export function fitted(laid: Pick<Laid, 'x' | 'y'>, wide: number, high: number): Fit {
  const [x0, x1] = ends(laid.x), [y0, y1] = ends(laid.y);
  const scale = (1 - 2 * MARGIN) * Math.min(wide / Math.max(x1 - x0, 1e-3), high / Math.max(y1 - y0, 1e-3));
  return { scale, left: wide / 2 - (scale * (x0 + x1)) / 2, top: high / 2 - (scale * (y0 + y1)) / 2 };
}

function ends(values: Float32Array): [number, number] {
  let low = Infinity, high = -Infinity;
  for (const v of values) { low = Math.min(low, v); high = Math.max(high, v); }
  return low > high ? [0, 1] : [low, high];
}

/** One straight line for each axis: screen = scale * place + offset. */
export interface Lines {
  scale: number;
  left: number;
  top: number;
}

export function lines(fit: Fit, shift: Shift): Lines {
  return { scale: shift.k * fit.scale, left: shift.k * fit.left + shift.x, top: shift.k * fit.top + shift.y };
}

export const across = (l: Lines, x: number): number => l.scale * x + l.left;
export const down = (l: Lines, y: number): number => l.scale * y + l.top;
export const placeX = (l: Lines, x: number): number => (x - l.left) / l.scale;
export const placeY = (l: Lines, y: number): number => (y - l.top) / l.scale;

/** The photo of those that are lit nearest to a pixel, at most `far` pixels away; -1 where there is none. */
export function nearestTo(laid: Laid, lit: Uint8Array, l: Lines, x: number, y: number, far = 12): number {
  let best = -1, least = far * far;
  for (let i = 0; i < laid.count; i++) {
    if (!lit[i]) continue;
    const d = (across(l, laid.x[i]!) - x) ** 2 + (down(l, laid.y[i]!) - y) ** 2;
    if (d < least) { least = d; best = i; }
  }
  return best;
}

/** 0, 1, ..., count - 1 in a mixed order that is always the same, so that no class covers the others. */
export function mixed(count: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  let state = 12345;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const j = state % (i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

const STRIPS = 24;

/** The way that keys go from photo to photo: down one strip of the plane, then down the next. */
export function walk(laid: Pick<Laid, 'count' | 'x' | 'y'>): Int32Array {
  const lane = (i: number) => laid.y[i]! + 3 * Math.floor(laid.x[i]! * STRIPS);
  return Int32Array.from({ length: laid.count }, (_, i) => i).sort((a, b) => lane(a) - lane(b) || a - b);
}

/** The next photo of the walk that is lit, from `from` (-1: the beginning) one way or the other; -1 where none is. */
export function step(order: Int32Array, lit: Uint8Array, from: number, way: 1 | -1): number {
  const n = order.length;
  let at = from < 0 ? (way > 0 ? -1 : n) : order.indexOf(from);
  for (let tried = 0; tried < n; tried++) {
    at = (at + way + n) % n;
    if (lit[order[at]!]) return order[at]!;
  }
  return -1;
}
