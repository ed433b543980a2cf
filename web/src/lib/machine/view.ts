// Where the sheet lies under the window: what is seen of it, and how it must move.

import type { Place } from './score';

export interface Shift {
  x: number;
  y: number;
  k: number;
}

export interface Size {
  width: number;
  height: number;
}

/** What the legend and the zoom cover at the window's foot. */
const FOOT = 48;

/** Places, the sheet's transform, the window -> names of those that are seen, `margin` pixels around it included. */
export function inView(places: Iterable<Place>, { x, y, k }: Shift, { width, height }: Size, margin = 80): string[] {
  const [left, right] = [(-margin - x) / k, (width + margin - x) / k];
  const [top, bottom] = [(-margin - y) / k, (height + margin - y) / k];
  const found: string[] = [];
  for (const place of places) {
    if (place.x + place.width >= left && place.x <= right && place.words >= top && place.y <= bottom) found.push(place.name);
  }
  return found;
}

/** Sheet, window -> the transform of the first view: lines fill the width, at most a little larger than drawn, the top
 * at the top; what is smaller than the window lies in its middle. */
export function home(sheet: Size, window: Size, most = 1.3): Shift {
  const k = Math.min(most, window.width / Math.max(1, sheet.width));
  return { k, x: (window.width - sheet.width * k) / 2, y: Math.max(0, (window.height - sheet.height * k) / 2) };
}

/** Sheet, window -> the transform that shows all of it. */
export function whole(sheet: Size, window: Size, most = 1.3): Shift {
  const high = Math.max(1, window.height - FOOT);
  const k = Math.min(most, window.width / Math.max(1, sheet.width), high / Math.max(1, sheet.height));
  return { k, x: (window.width - sheet.width * k) / 2, y: (high - sheet.height * k) / 2 };
}

/** How far the sheet must move so that a place is seen whole, in pixels of the window. */
export function into(place: Place, { x, y, k }: Shift, { width, height }: Size, room = 28): [number, number] {
  const [left, right] = [place.x * k + x - room, (place.x + place.width + place.deep) * k + x + room];
  const [top, bottom] = [(place.y - place.deep / 2) * k + y - room, (place.words + 34) * k + y + room];
  const across = right - left > width || left < 0 ? -left : right > width ? width - right : 0;
  const down = bottom - top > height || top < 0 ? -top : bottom > height ? height - bottom : 0;
  return [across, down];
}

/** A key -> the place it leads to from `at`: along the wires to the right and left, else the nearest above or below. */
export function neighbour(at: Place, key: string, places: ReadonlyMap<string, Place>, fed: readonly string[], feeds: readonly string[]): string | null {
  if (key === 'ArrowRight') return nearest(at, fed, places);
  if (key === 'ArrowLeft') return nearest(at, feeds, places);
  if (key !== 'ArrowUp' && key !== 'ArrowDown') return null;
  const down = key === 'ArrowDown';
  let best: Place | null = null;
  for (const one of places.values()) {
    const rise = down ? one.middle - at.middle : at.middle - one.middle;
    if (rise < 20) continue;
    if (!best || cost(one, at, rise) < cost(best, at, down ? best.middle - at.middle : at.middle - best.middle)) best = one;
  }
  return best?.name ?? null;
}

function cost(one: Place, at: Place, rise: number): number {
  return rise * 2 + Math.abs(one.column - at.column) * 140;
}

function nearest(at: Place, names: readonly string[], places: ReadonlyMap<string, Place>): string | null {
  const there = names.flatMap((name) => places.get(name) ?? []);
  there.sort((a, b) => Math.abs(a.lane - at.lane) - Math.abs(b.lane - at.lane) || Math.abs(a.rank - at.rank) - Math.abs(b.rank - at.rank));
  return there[0]?.name ?? null;
}
