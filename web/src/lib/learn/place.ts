// A cell of a map, moved by the arrow keys.

export type Place = [row: number, column: number];

/** Cell, by how much, rows and columns of the map where they are known -> the cell there, or the last before the edge. */
export function moved(cell: Place, down: number, across: number, size?: readonly number[]): Place {
  const within = (value: number, by: number, side = Infinity) => Math.max(0, Math.min(side - 1, Math.min(side - 1, value) + by));
  return [within(cell[0], down, size?.[0]), within(cell[1], across, size?.[1])];
}
