// Cells as they stand in the address: `cell=conv1[3,10,12]`, and the way one came: `trail=relu1[3,10,12];conv1[3,10,12]`.

export interface Spot {
  layer: string;
  cell: readonly number[];
}

/** More steps back than this are forgotten; the address stays short. */
const MOST = 12;

/** "conv1[3,10,12]" -> its layer and cell; null for anything else. */
export function spotOf(text: string | null): Spot | null {
  const found = /^\s*(.+?)\s*\[\s*(\d{1,9}(?:\s*,\s*\d{1,9})*)\s*\]\s*$/.exec(text ?? '');
  return found ? { layer: found[1] ?? '', cell: (found[2] ?? '').split(',').map(Number) } : null;
}

export function textOf({ layer, cell }: Spot): string {
  return `${layer}[${cell.join(',')}]`;
}

/** As a person reads it: "conv1[3, 10, 12]". */
export function shownSpot({ layer, cell }: Spot): string {
  return `${layer}[${cell.join(', ')}]`;
}

/** What the address holds, where one is now -> the spots that led here, the present one last. A trail that does not end
 * in this layer belongs to something looked at earlier. */
export function trailOf(text: string | null, here: Spot): Spot[] {
  const spots = (text ?? '').split(';').map(spotOf).filter((spot) => spot !== null);
  if (spots.at(-1)?.layer !== here.layer) return [here];
  return [...spots.slice(0, -1), here];
}

/** The trail so far, where one goes -> the trail with it. A spot one has come from is gone back to, not added. */
export function followed(trail: readonly Spot[], to: Spot): Spot[] {
  const known = trail.findIndex((spot) => spot.layer === to.layer);
  const kept = known >= 0 ? trail.slice(0, known) : trail;
  return [...kept, to].slice(-MOST);
}

export function writtenTrail(trail: readonly Spot[]): string | null {
  return trail.length > 1 ? trail.map(textOf).join(';') : null;
}
