// Parts of the plane: a lasso drawn by hand, a rectangle, and how they stand in an address.

/** x and y by turns, in [0, 1]. */
export type Outline = readonly number[];

/** Whether a place lies inside a closed outline: an odd number of its sides cross the ray to the right. */
export function inside(outline: Outline, x: number, y: number): boolean {
  let within = false;
  const n = outline.length / 2;
  for (let i = 0, j = n - 1; i < n; j = i++) {
    const xi = outline[2 * i]!, yi = outline[2 * i + 1]!, xj = outline[2 * j]!, yj = outline[2 * j + 1]!;
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) within = !within;
  }
  return within;
}

/** Two opposite corners -> the outline of a rectangle. */
export function rectangle(x0: number, y0: number, x1: number, y1: number): Outline {
  return [x0, y0, x1, y0, x1, y1, x0, y1];
}

/** An outline with at most `most` corners: those that bend least go first (Visvalingam & Whyatt 1993). */
export function simpler(outline: Outline, most = 60): Outline {
  const points = Array.from({ length: outline.length / 2 }, (_, i) => [outline[2 * i]!, outline[2 * i + 1]!] as const);
  while (points.length > most) {
    let least = Infinity, at = 0;
    for (let i = 0; i < points.length; i++) {
      const [a, b, c] = [points.at(i - 1)!, points[i]!, points[(i + 1) % points.length]!];
      const area = Math.abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]));
      if (area < least) { least = area; at = i; }
    }
    points.splice(at, 1);
  }
  return points.flat();
}

/** Outline -> text of an address: thousandths, each at most four digits. */
export function outlineText(outline: Outline): string {
  return outline.map((v) => Math.round(v * 1000)).join(',');
}

/** Text of an address -> the outline, null where it is none. */
export function outlineOf(text: string): Outline | null {
  if (!/^-?\d+(,-?\d+)+$/.test(text)) return null;
  const found = text.split(',').map(Number);
  return found.length >= 6 && found.length % 2 === 0 ? found.map((v) => v / 1000) : null;
}
