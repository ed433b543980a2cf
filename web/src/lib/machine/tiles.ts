// All maps of a layer in a scrolled grid: which are on the screen, where each lies, and what lies under the pointer.

export interface Tiles {
  count: number;
  columns: number;
  rows: number;
  /** Size of one map on the screen, and the gap between two, in CSS pixels. */
  width: number;
  height: number;
  gap: number;
}

/** Maps, their cells, the room across, the longer side wanted -> the grid. One map takes the whole width. */
export function tilesFor(count: number, high: number, wide: number, room: number, side: number, gap = 3): Tiles {
  const longest = Math.max(high, wide, 1);
  const near = Math.max(8, ((count === 1 ? Math.min(room, 420) : Math.min(side, room)) * wide) / longest);
  const fit = Math.max(1, Math.floor((room + gap) / (near + gap)));
  const columns = Math.max(1, Math.min(count, fit));
  const width = Math.floor(count > 1 ? (room + gap) / fit - gap : near); // a line fills the room
  const height = Math.max(8, Math.round((width * high) / wide));
  return { count, columns, rows: Math.ceil(count / columns), width, height, gap };
}

export function totalHeight({ rows, height, gap }: Tiles): number {
  return Math.max(0, rows * (height + gap) - gap);
}

/** What of the grid is seen -> the first map and the one after the last, whole lines, `extra` lines around. */
export function inSight(tiles: Tiles, top: number, bottom: number, extra = 1): [number, number] {
  const step = tiles.height + tiles.gap;
  const first = Math.max(0, Math.floor(top / step) - extra);
  const last = Math.min(tiles.rows, Math.ceil(bottom / step) + extra);
  return [Math.min(tiles.count, first * tiles.columns), Math.min(tiles.count, Math.max(first, last) * tiles.columns)];
}

export function placeOf(tiles: Tiles, index: number): [x: number, y: number] {
  return [(index % tiles.columns) * (tiles.width + tiles.gap), Math.floor(index / tiles.columns) * (tiles.height + tiles.gap)];
}

export interface Spot {
  index: number;
  row: number;
  column: number;
}

/** A place in the grid -> the map there and its cell; null in a gap and beyond the last map. */
export function spotAt(tiles: Tiles, x: number, y: number, high: number, wide: number): Spot | null {
  const across = Math.floor(x / (tiles.width + tiles.gap));
  const down = Math.floor(y / (tiles.height + tiles.gap));
  const [left, top] = [x - across * (tiles.width + tiles.gap), y - down * (tiles.height + tiles.gap)];
  const index = down * tiles.columns + across;
  if (across < 0 || down < 0 || across >= tiles.columns || index >= tiles.count) return null;
  if (left >= tiles.width || top >= tiles.height) return null;
  return { index, row: Math.floor((top / tiles.height) * high), column: Math.floor((left / tiles.width) * wide) };
}

const MOVES: Record<string, (at: number, tiles: Tiles) => number> = {
  ArrowRight: (at) => at + 1,
  ArrowLeft: (at) => at - 1,
  ArrowDown: (at, { columns }) => at + columns,
  ArrowUp: (at, { columns }) => at - columns,
  Home: () => 0,
  End: (_, { count }) => count - 1,
  PageDown: (at, { columns }) => at + 4 * columns,
  PageUp: (at, { columns }) => at - 4 * columns,
};

/** A key -> the map that it leads to; null for a key that leads nowhere. */
export function moved(tiles: Tiles, at: number, key: string): number | null {
  const to = MOVES[key]?.(at, tiles);
  return to === undefined ? null : Math.max(0, Math.min(tiles.count - 1, to));
}
