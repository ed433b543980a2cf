// How fast the window slides over the map, and over how many cells at a time.

import { mapSize } from './cells';

export const PACES = [
  { name: 'slow', title: 'slow', perSecond: 1.5, whole: 0 },
  { name: 'steady', title: 'steady', perSecond: 6, whole: 0 },
  { name: 'map', title: 'the map in 20 s', perSecond: 12, whole: 20 },
] as const;
export type Pace = (typeof PACES)[number]['name'];

/** Pace, shape -> milliseconds between two stops, cells from one stop to the next. Where a large map is to be crossed in
 * a given time, some cells are passed over; rows stay rows. */
export function gait(name: Pace, grid: readonly number[]): { wait: number; by: number } {
  const pace = PACES.find((one) => one.name === name) ?? PACES[0];
  const [rows, columns] = mapSize(grid);
  const stops = pace.whole * pace.perSecond;
  return { wait: 1000 / pace.perSecond, by: stops ? Math.max(1, Math.ceil((rows * columns) / stops)) : 1 };
}
