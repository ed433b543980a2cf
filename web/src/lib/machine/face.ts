// Output shape -> the block that is drawn for it: a face that shrinks with the maps, as deep as there are channels.

export interface Face {
  width: number;
  height: number;
  /** How far it goes back, in points to the right; upwards it is half as much. */
  deep: number;
  /** Maps on the face, in columns and rows; a row of numbers and a table of tokens are one. */
  across: number;
  down: number;
}

const LARGEST = 108;

/** (C, H, W) -> maps on a face; (L, C) -> a table; (F,) and (C, 1, 1) -> a narrow bar. */
export function faceOf(shape: readonly number[], answer = false): Face {
  if (answer) return { width: 118, height: 100, deep: 0, across: 1, down: 1 };
  const maps = shape.length === 3 && shape[1]! * shape[2]! > 1;
  if (maps) return ofMaps(shape[0]!, shape[1]!, shape[2]!);
  if (shape.length === 2) return ofTable(shape[0]!, shape[1]!);
  const numbers = shape.reduce((a, b) => a * b, 1);
  return { width: 24, height: grown(numbers, 46, 5.6), deep: 3, across: 1, down: 1 };
}

function ofMaps(channels: number, high: number, wide: number): Face {
  const side = grown(Math.max(high, wide), 44, 8);
  const [width, height] = [side * fair(wide / high), side * fair(high / wide)];
  const deep = 1 + 1.55 * Math.log2(Math.max(1, channels));
  const many = channels >= 4;
  const pair = channels === 2 || channels === 3;
  return { width, height, deep, across: many || (pair && wide <= high) ? 2 : 1, down: many || (pair && wide > high) || channels === 3 ? 2 : 1 };
}

function ofTable(rows: number, columns: number): Face {
  const side = grown(Math.max(rows, columns), 44, 6);
  return { width: side * fair(columns / rows), height: side * fair(rows / columns), deep: 3, across: 1, down: 1 };
}

/** The shorter side against the longer, never thinner than a third. */
function fair(ratio: number): number {
  return Math.min(1, Math.max(ratio, 1 / 3));
}

function grown(size: number, least: number, step: number): number {
  return Math.min(LARGEST, least + step * Math.log2(Math.max(1, size)));
}
