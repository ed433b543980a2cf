// The cell of a map that is largest in size: where a map is opened by keys.

import { type MapFrame, valueAt } from '../frame';

/** Frame, which of its channels -> row and column of the value farthest from zero; the first of equals. */
export function strongest(frame: MapFrame, plane: number): [number, number] {
  let best = -1;
  let at: [number, number] = [0, 0];
  for (let row = 0; row < frame.height; row++) {
    for (let column = 0; column < frame.width; column++) {
      const size = Math.abs(valueAt(frame, plane, row, column));
      if (size > best) [best, at] = [size, [row, column]];
    }
  }
  return at;
}
