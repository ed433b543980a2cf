// Axes of a drawing: round ticks, places on the screen, lines with gaps where there is no number.

export interface Axis {
  low: number;
  high: number;
  start: number;
  end: number;
}

export function at(axis: Axis, value: number): number {
  const span = axis.high - axis.low || 1;
  return axis.start + ((value - axis.low) / span) * (axis.end - axis.start);
}

/** The step of 1, 2 or 5 times a power of ten that cuts a span into about `count` pieces. */
export function roundStep(span: number, count: number): number {
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const times = rough / power;
  return power * (times <= 1.0001 ? 1 : times <= 2.0001 ? 2 : times <= 5.0001 ? 5 : 10);
}

/** Round numbers from `low` to `high`, about `count` of them. */
export function ticks(low: number, high: number, count = 5): number[] {
  if (!(high > low)) return [low];
  const step = roundStep(high - low, count);
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Round whole numbers, for epochs. */
export function wholeTicks(low: number, high: number, count = 8): number[] {
  const step = Math.max(1, roundStep(high - low || 1, count));
  const found: number[] = [];
  for (let v = Math.ceil(low / step) * step; v <= high + 1e-9; v += step) found.push(v);
  return found.length && found[0] !== low && low === 1 ? [1, ...found] : found.length ? found : [low];
}

/** Values -> the round ends that hold them all, kept within `floor` and `ceiling`; null where none is a number. */
export function ends(values: Iterable<number>, floor = -Infinity, ceiling = Infinity): [number, number] | null {
  let low = Infinity, high = -Infinity;
  for (const v of values) if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
  if (low > high) return null;
  const step = roundStep(high - low || Math.abs(high) || 1, 5);
  const [a, b] = [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
  const bottom = Math.max(floor, a), top = Math.min(ceiling, b);
  return top > bottom ? [bottom, top] : [Math.max(floor, bottom - step), Math.min(ceiling, bottom + step)];
}

/** Values by epoch, counted from 1 -> where their line is at any place between two epochs; null where there is none. */
export function between(ys: readonly (number | null)[], epoch: number): number | null {
  const from = Math.floor(epoch), low = ys[from - 1] ?? null, high = ys[Math.ceil(epoch) - 1] ?? null;
  return low === null || high === null ? null : low + (epoch - from) * (high - low);
}

/** Places of lines beside a label -> whether the label is better off at the top of the drawing than at its foot. */
export function roomAbove(places: readonly number[], top: number, bottom: number): boolean {
  return places.length > 0 && Math.min(...places) - top > bottom - Math.max(...places);
}

/** Points -> the d of a path that begins anew after every value that is no number (a loss that became NaN). */
export function gapped(xs: readonly number[], ys: readonly (number | null)[], x: Axis, y: Axis): string {
  let d = '', pen = false;
  xs.forEach((v, i) => {
    const value = ys[i];
    if (value === null || value === undefined || !Number.isFinite(value)) { pen = false; return; }
    d += `${pen ? 'L' : 'M'}${at(x, v).toFixed(1)} ${at(y, value).toFixed(1)}`;
    pen = true;
  });
  return d;
}
