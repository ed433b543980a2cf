// A place on the picture, the same on all maps: row and column from 0.

export interface Place {
  row: number;
  column: number;
}

/** Pointer over an element -> the place under it; null outside. */
export function placeAt(box: DOMRect, x: number, y: number, [height, width]: readonly [number, number]): Place | null {
  const column = Math.floor(((x - box.left) / box.width) * width);
  const row = Math.floor(((y - box.top) / box.height) * height);
  return row >= 0 && row < height && column >= 0 && column < width ? { row, column } : null;
}

const STEPS: Record<string, readonly [number, number]> = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
};

/** A key, where the mark is -> where it goes; with Shift a tenth of the picture at once. null: another key. */
export function moved(key: string, large: boolean, from: Place | null, [height, width]: readonly [number, number]): Place | null {
  const step = STEPS[key];
  if (!step) return null;
  const start = from ?? { row: Math.floor(height / 2), column: Math.floor(width / 2) };
  const far = large ? Math.max(1, Math.round(Math.max(height, width) / 10)) : 1;
  return {
    row: Math.min(height - 1, Math.max(0, start.row + step[0] * far)),
    column: Math.min(width - 1, Math.max(0, start.column + step[1] * far)),
  };
}
