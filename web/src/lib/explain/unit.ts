// What a job of /api/explain/unit brings (studio/units.py), and where on its photos a unit looks.

/** First row, first column, last row, last column, all included; may lie outside the photo, in its padding. */
export type Box = readonly [number, number, number, number];

export interface Patch {
  name: string;
  label: string | null;
  value: number;
  cell: readonly [number, number] | null;
  /** What the unit sees of the photo; null: all of it. */
  window: Box | null;
  /** The pixels below that cell of its map; null where it has no map. */
  under: Box | null;
  /** The name of the photo as the network gets it. */
  photo: string;
}

export interface UnitFound {
  unit: string;
  layer: string;
  kind: string;
  channel: number;
  cell: readonly [number, number] | null;
  class: string | null;
  sees: string;
  window: readonly [number, number] | null;
  strongest: readonly Patch[];
  weakest: readonly Patch[];
  fires: number | null;
  counts: readonly number[];
  edges: readonly number[];
  classes: readonly { class: string; mean: number; photos: number; error: number | null }[];
  ceiling: number | null;
  picture: { value: number; grey: number; steps: number; times_best_photo: number | null } | null;
  says: readonly string[];
  why: string | null;
  here: string | null;
  made: string | null;
  seen: Box | null;
}

export interface UnitsFound {
  pictures: number;
  of: number;
  stopped: boolean;
  units: readonly UnitFound[];
  size: readonly [number, number];
}

export function pictureAddress(name: string): string {
  return `/api/explain/pictures/${encodeURIComponent(name)}`;
}

/** A path -> its last part, which is enough where the whole stands in a title. */
export function fileName(path: string): string {
  return path.split(/[/\\]/).filter(Boolean).at(-1) ?? path;
}

/** A box -> the viewBox of an SVG that shows just that part; null: the whole photo. */
export function viewBox(box: Box | null, [height, width]: readonly [number, number]): string {
  if (!box) return `0 0 ${width} ${height}`;
  const [top, left, bottom, right] = box;
  return `${left} ${top} ${right - left + 1} ${bottom - top + 1}`;
}

/** "conv1[3]" -> "conv1[2]" or "conv1[4]"; null for a unit that is no channel, and below 0. */
export function neighbour(unit: string, step: number): string | null {
  const found = /^(.*)\[(\d+)\]$/.exec(unit);
  const next = found ? Number(found[2]) + step : -1;
  return found && next >= 0 ? `${found[1]}[${next}]` : null;
}

/** What a unit is, in words. */
export function told(unit: UnitFound): string {
  const sees = unit.window === null ? 'sees the whole picture' : `sees ${unit.sees} px`;
  if (unit.class) return `class; ${sees}`;
  const cell = unit.cell ? `, row ${unit.cell[0]}, column ${unit.cell[1]}` : '';
  return `${unit.kind}, channel ${unit.channel}${cell}; one of its numbers ${sees}`;
}
