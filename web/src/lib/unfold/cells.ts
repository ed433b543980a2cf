// Where cells lie: steps of the arrow keys, the cells behind a patch, the order in which a window slides.

import type { Patch } from '../api.gen';

/** What a cell's coordinates are called, from how many there are. */
export function axisNames(count: number): readonly string[] {
  if (count === 3) return ['channel', 'row', 'column'];
  return count === 2 ? ['row', 'column'] : ['number'];
}

type Step = readonly [axis: 'channel' | 'row' | 'column', by: 1 | -1];
const KEYS: Record<string, Step> = {
  ArrowUp: ['row', -1],
  ArrowDown: ['row', 1],
  ArrowLeft: ['column', -1],
  ArrowRight: ['column', 1],
  PageUp: ['channel', -1],
  PageDown: ['channel', 1],
  '[': ['channel', -1],
  ']': ['channel', 1],
};

/** A cell, the shape it lies in, a key -> the next cell that way; null where the key says nothing or the map ends. */
export function stepped(cell: readonly number[], grid: readonly number[], key: string): number[] | null {
  const step = KEYS[key];
  if (!step) return null;
  const names = axisNames(cell.length);
  // In a row of numbers every key leads along it; a table has no channels.
  const axis = cell.length === 1 ? 0 : names.indexOf(step[0]);
  if (axis < 0) return null;
  const next = (cell[axis] ?? 0) + step[1];
  return next >= 0 && next < (grid[axis] ?? 0) ? cell.map((c, i) => (i === axis ? next : c)) : null;
}

/** Rows and columns of one channel's map: the last two axes, a row of numbers is one row. */
export function mapSize(grid: readonly number[]): [rows: number, columns: number] {
  return [grid.length > 1 ? (grid.at(-2) ?? 1) : 1, grid.at(-1) ?? 1];
}

/** A cell -> its row and column on its map. */
export function onMap(cell: readonly number[]): [row: number, column: number] {
  return [cell.length > 1 ? (cell.at(-2) ?? 0) : 0, cell.at(-1) ?? 0];
}

/** A place of the map -> the cell there, of the same channel as `cell`. */
export function cellAt(cell: readonly number[], row: number, column: number): number[] {
  if (cell.length === 1) return [column];
  return [...cell.slice(0, -2), row, column];
}

/** Reading order: `by` cells on, row after row; null past the end. */
export function onward(cell: readonly number[], grid: readonly number[], by: number): number[] | null {
  const [rows, columns] = mapSize(grid);
  const [row, column] = onMap(cell);
  const next = row * columns + column + by;
  const last = rows * columns - 1;
  if (row * columns + column >= last) return null;
  const at = Math.min(next, last);
  return cellAt(cell, Math.floor(at / columns), at % columns);
}

/** Row and column of a patch as it is laid out -> that cell of the earlier step as maps are drawn; null for padding. */
export function behind(patch: Pick<Patch, 'axes' | 'last' | 'values'>, row: number, column: number): number[] | null {
  const columns = patch.values[0]?.length ?? 1;
  let flat = row * columns + column;
  const index: number[] = [];
  for (const axis of [...patch.axes].reverse()) {
    index.unshift(axis[flat % axis.length] ?? -1);
    flat = Math.floor(flat / axis.length);
  }
  if (index.some((c) => c < 0)) return null;
  const [a, b, c] = index;
  return patch.last && index.length === 3 ? [c ?? 0, a ?? 0, b ?? 0] : index;
}
