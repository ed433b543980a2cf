// Filters as tiles: the kernels of one filter side by side, nearly square; where each weight lies and which one is hit.

/** With more kernels than this there is no room for lines between them. */
const CROWD = 64;

export interface Mosaic {
  /** Kernels side by side and below each other in one tile. */
  across: number;
  down: number;
  /** One tile in weights, the lines between kernels counted. */
  width: number;
  height: number;
  kernelWidth: number;
  kernelHeight: number;
  /** Empty points between two kernels. */
  line: number;
}

/** Inputs of a filter and its kernels' size -> how they are laid out. Kernels of one weight, and very many, touch. */
export function mosaicOf(inputs: number, kernelHeight: number, kernelWidth: number): Mosaic {
  const line = kernelHeight * kernelWidth === 1 || inputs > CROWD ? 0 : 1;
  const [high, wide] = [kernelHeight + line, kernelWidth + line];
  const across = Math.max(1, Math.min(inputs, Math.ceil(Math.sqrt((inputs * high) / wide))));
  const down = Math.ceil(inputs / across);
  return { across, down, width: across * wide - line, height: down * high - line, kernelWidth, kernelHeight, line };
}

/** Input channel, row and column in its kernel -> the point of the tile. */
export function pointOf(mosaic: Mosaic, input: number, row: number, column: number): [x: number, y: number] {
  const x = (input % mosaic.across) * (mosaic.kernelWidth + mosaic.line) + column;
  return [x, Math.floor(input / mosaic.across) * (mosaic.kernelHeight + mosaic.line) + row];
}

/** A point of the tile -> the weight there; null on a line or past the last kernel. */
export function weightAt(mosaic: Mosaic, inputs: number, x: number, y: number): { input: number; row: number; column: number } | null {
  const [wide, high] = [mosaic.kernelWidth + mosaic.line, mosaic.kernelHeight + mosaic.line];
  const [across, down] = [Math.floor(x / wide), Math.floor(y / high)];
  const [column, row] = [Math.floor(x) - across * wide, Math.floor(y) - down * high];
  const input = down * mosaic.across + across;
  const there = x >= 0 && y >= 0 && across < mosaic.across && input < inputs;
  return there && column < mosaic.kernelWidth && row < mosaic.kernelHeight ? { input, row, column } : null;
}

/** A tile in weights -> how many pixels a weight gets, so that the tile is about `side` wide and stays sharp. */
export function zoomFor(mosaic: Mosaic, side: number): number {
  const longest = Math.max(mosaic.width, mosaic.height);
  if (longest > 1.5 * side) return side / longest;
  return Math.max(1, Math.min(24, Math.floor(side / longest)));
}
