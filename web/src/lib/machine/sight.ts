// A cell of a map -> the pixels of the network's input that it sees, from the server's numbers.

import type { Sight, SightAxis } from '../api.gen';

/** First and last pixel that a cell sees, both included; padding counts. */
export function windowOf(axis: SightAxis, cell: number): [number, number] {
  const period = axis.lows.length;
  if (!axis.step || !period) return [axis.lows[0] ?? 0, axis.highs[0] ?? 0];
  const turn = Math.floor(cell / period);
  const place = cell - turn * period;
  return [axis.lows[place]! + turn * axis.step, axis.highs[place]! + turn * axis.step];
}

export interface Rectangle {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** What a cell sees of a picture of (H, W), clipped to it; the whole picture where all cells do; null for none of it. */
export function seen(sight: Sight | null, row: number, column: number, size: readonly [number, number]): Rectangle | null {
  if (!sight) return null;
  if (sight.whole) return { top: 0, left: 0, height: size[0], width: size[1] };
  const [top, bottom] = clipped(windowOf(sight.rows, row), size[0]);
  const [left, right] = clipped(windowOf(sight.columns, column), size[1]);
  return top > bottom || left > right ? null : { top, left, height: bottom - top + 1, width: right - left + 1 };
}

function clipped([first, last]: [number, number], size: number): [number, number] {
  return [Math.max(0, first), Math.min(size - 1, last)];
}
