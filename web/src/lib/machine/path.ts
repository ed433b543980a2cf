// Corner points with right angles -> the d of an SVG path with rounded corners.

export type Point = readonly [x: number, y: number];

export function rounded(points: readonly Point[], radius = 7): string {
  const bends = corners(points);
  const [first] = bends;
  if (!first) return '';
  let d = `M${said(first)}`;
  for (let i = 1; i < bends.length - 1; i++) {
    const [before, at, after] = [bends[i - 1]!, bends[i]!, bends[i + 1]!];
    d += `L${said(towards(at, before, radius))}Q${said(at)} ${said(towards(at, after, radius))}`;
  }
  return bends.length > 1 ? `${d}L${said(bends.at(-1)!)}` : d;
}

/** Points without those that repeat or lie on a line between their neighbours. */
function corners(points: readonly Point[]): Point[] {
  const apart = points.filter((p, i) => i === 0 || p[0] !== points[i - 1]![0] || p[1] !== points[i - 1]![1]);
  return apart.filter((p, i) => {
    const [before, after] = [apart[i - 1], apart[i + 1]];
    if (!before || !after) return true;
    return !((before[0] === p[0] && p[0] === after[0]) || (before[1] === p[1] && p[1] === after[1]));
  });
}

function towards(corner: Point, other: Point, radius: number): Point {
  const [across, down] = [other[0] - corner[0], other[1] - corner[1]];
  const far = Math.abs(across) + Math.abs(down);
  const step = far ? Math.min(radius, far / 2) / far : 0;
  return [corner[0] + across * step, corner[1] + down * step];
}

function said([x, y]: Point): string {
  return `${Math.round(x * 100) / 100} ${Math.round(y * 100) / 100}`;
}
