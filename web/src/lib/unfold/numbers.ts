// Numbers in small cells and on colours, as draw/arithmetic.py writes them into figures.

import type { Range } from '../lut';

/** At most five characters and the sign. */
export function brief(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size === 0) return '0';
  const shown = size < 0.0005 || size >= 1e6
    ? value.toExponential(0).replace('e-0', 'e-').replace('e+', 'e')
    : value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
  return shown.replaceAll('-', '−');
}

/** The same for cells where every character counts: ".042" for 0.042, as engineers write it. */
export function briefer(value: number | null): string {
  return brief(value).replace(/^(−?)0\./, '$1.');
}

/** Rows of numbers that are drawn together -> the range of colours that holds them all. */
export function together(...grids: readonly (readonly (readonly (number | null)[])[] | null)[]): Range {
  let high = 0;
  let signed = false;
  for (const grid of grids) {
    for (const row of grid ?? []) {
      for (const value of row) {
        if (value === null) continue;
        high = Math.max(high, Math.abs(value));
        signed ||= value < 0;
      }
    }
  }
  return { high, signed };
}

/** 0xRRGGBB -> black or white, whichever is read better on it (always 4.5 to 1 or more). */
export function inkOn(rgb: number): '#000' | '#fff' {
  const [r, g, b] = [rgb >> 16, (rgb >> 8) & 255, rgb & 255].map((level) => {
    const share = level / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#000' : '#fff';
}

/** Rows and columns of a patch -> pixels of a cell's side; numbers are written where it is at least WRITABLE. */
export function sideOf(rows: number, columns: number): number {
  const longest = Math.max(rows, columns);
  if (longest <= 3) return 46;
  if (longest <= 5) return 31;
  if (longest <= 7) return 30;
  return Math.max(3, Math.floor(220 / longest));
}

export const WRITABLE = 28;
/** A patch with more cells than this is painted on a canvas. */
export const MOST_CELLS = 200;
