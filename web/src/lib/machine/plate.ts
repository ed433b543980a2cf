// A frame of maps -> places on a canvas, each map scaled to its place: sharp where it grows, smooth where it shrinks.

import type { MapFrame } from '../frame';
import { type Look, gridOf, paint } from '../paint';

export interface Area {
  x: number;
  y: number;
  width: number;
  height: number;
}

let scratch: HTMLCanvasElement | null = null;

/** Canvas of the wanted size, cleared, drawn in CSS pixels times `density`. */
export function sized(canvas: HTMLCanvasElement, width: number, height: number, density: number): CanvasRenderingContext2D | null {
  const [w, h] = [Math.max(1, Math.round(width * density)), Math.max(1, Math.round(height * density))];
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  const context = canvas.getContext('2d');
  context?.setTransform(w / width, 0, 0, h / height, 0, 0);
  context?.clearRect(0, 0, width, height);
  return context;
}

/** Draws each map of the frame into the place that `area` says, in CSS pixels. */
export function drawMaps(context: CanvasRenderingContext2D, frame: MapFrame, area: (plane: number) => Area, look: Look): void {
  if (frame.missing || !frame.channels.length || !frame.height || !frame.width) return;
  scratch ??= document.createElement('canvas');
  const grid = gridOf(frame, { ...look, gap: 0, columns: undefined });
  paint(scratch, { ...frame, silent: [] }, { ...look, gap: 0, columns: grid.columns });
  const silent = new Set(frame.view === 'difference' ? [] : frame.silent); // no difference is not silence
  const density = context.getTransform().a;
  for (let plane = 0; plane < frame.channels.length; plane++) {
    const { x, y, width, height } = area(plane);
    const [left, top] = [(plane % grid.columns) * frame.width, Math.floor(plane / grid.columns) * frame.height];
    context.imageSmoothingEnabled = frame.width > width * density;
    context.drawImage(scratch, left, top, frame.width, frame.height, x, y, width, height);
    if (silent.has(frame.channels[plane] ?? -1)) hatch(context, x, y, width, height);
  }
}

/** Thin lines across what is silent: zero, or the same everywhere. */
function hatch(context: CanvasRenderingContext2D, x: number, y: number, width: number, height: number): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.beginPath();
  for (let along = -height; along < width; along += 6) {
    context.moveTo(x + along, y + height);
    context.lineTo(x + along + height, y);
  }
  context.strokeStyle = '#a9ada6';
  context.lineWidth = 0.8;
  context.stroke();
  context.restore();
}

/** Room, how many maps across and down -> where each lies, its own shape kept. */
export function evenly(width: number, height: number, across: number, down: number, frame: Pick<MapFrame, 'height' | 'width'>, gap = 2): (plane: number) => Area {
  const [w, h] = [(width - gap * (across - 1)) / across, (height - gap * (down - 1)) / down];
  const scale = Math.min(w / frame.width, h / frame.height);
  const [mine, tall] = [frame.width * scale, frame.height * scale];
  return (plane) => ({
    x: (plane % across) * (w + gap) + (w - mine) / 2,
    y: Math.floor(plane / across) * (h + gap) + (h - tall) / 2,
    width: mine,
    height: tall,
  });
}

/** How many numbers of a row stand in each line where it is folded into a room of these sides. */
export function folds(count: number, width: number, height: number): number {
  return Math.max(1, Math.min(count, Math.round(Math.sqrt((count * width) / Math.max(1, height)))));
}

/** A row of numbers -> the same folded into lines of `columns`; what the last line lacks is told apart by `count`. */
export function folded(frame: MapFrame, columns: number): MapFrame {
  const rows = Math.ceil(frame.width / columns);
  const planes = new Uint8Array(rows * columns);
  planes.set(frame.planes.subarray(0, frame.width));
  return { ...frame, height: rows, width: columns, planes };
}

/** Whether a frame is one row of numbers. */
export function isRow(frame: MapFrame): boolean {
  return frame.shape.length === 1;
}

/** Draws a row of numbers, folded, to fill a room; cells that the last line lacks stay clear. */
export function drawRow(context: CanvasRenderingContext2D, frame: MapFrame, width: number, height: number, columns: number, look: Look): void {
  const made = folded(frame, columns);
  drawMaps(context, made, () => ({ x: 0, y: 0, width, height }), look);
  const rest = made.width * made.height - frame.width;
  const [w, h] = [width / made.width, height / made.height];
  if (rest) context.clearRect(width - rest * w, height - h, rest * w, h);
}
