// Draws a map's points into a canvas: faded ones first, photos instead of marks where few are seen, what is chosen last.

import type { Board } from './board.svelte';
import { pixelOf, put, stamp, surface, type Stamp, type Surface } from './stamps';
import { across, down, type Lines } from './view';

/** Colours of the page at this moment. */
export interface Inks {
  dark: boolean;
  ground: string;
  faded: string;
  accent: string;
  wrong: string;
  none: string;
}

export interface Scene {
  lines: Lines;
  /** How many times closer than the whole plane. */
  closer: number;
  wide: number;
  high: number;
  dense: number;
  inks: Inks;
  photos: boolean;
}

const MOST_PHOTOS = 160; // in the window at once
const NEAR_ENOUGH = 1.4;
const BEYOND = 20; // px outside the window where a mark still shows

/** Colour and shape of a number, as legend and marks have it. */
export function markOf(board: Board, inks: Pick<Inks, 'dark' | 'wrong' | 'none'>, number: number): [string, string] {
  if (number < 0) return [inks.none, 'circle'];
  if (board.by === 'wrong') return number ? [inks.wrong, 'diamond'] : [inks.none, 'circle'];
  const colours = board.laid.head.colours[inks.dark ? 'dark' : 'light'] ?? ['#777777'];
  const shapes = board.laid.head.shapes;
  return [colours[number % colours.length]!, shapes[number % shapes.length] ?? 'circle'];
}

export class Painter {
  #stamps = new Map<string, Stamp>();
  #on: Surface | null = null;
  /** Milliseconds that the last frame took. */
  took = 0;

  /** Everything, anew: once for a frame of the screen at most. */
  draw(pen: CanvasRenderingContext2D, board: Board, scene: Scene): void {
    const begun = performance.now();
    const { wide, high, dense, inks } = scene;
    if (!this.#on || this.#on.dense !== dense || this.#on.width !== Math.round(wide * dense) || this.#on.height !== Math.round(high * dense)) {
      this.#on = surface(pen, wide, high, dense);
      this.#stamps.clear();
    }
    const on = this.#on;
    on.pixels.fill(pixelOf(inks.ground));
    const radius = radiusOf(board.laid.count, scene.closer);
    const seen = this.#marks(on, board, scene, radius);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.putImageData(on.image, 0, 0);
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    const close = scene.photos && seen.length > 0 && seen.length <= MOST_PHOTOS && scene.closer > NEAR_ENOUGH;
    const [w, h] = close ? photoSize(board, seen.length, wide, high) : [0, 0];
    if (close) for (const i of seen) framed(pen, board, scene, i, w, h, markOf(board, inks, board.numbers[i]!)[0], 3);
    if (board.photo >= 0) {
      if (close) framed(pen, board, scene, board.photo, w, h, inks.accent, 5);
      else ring(pen, board, scene, board.photo, radius);
    }
    this.took = performance.now() - begun;
  }

  #marks(on: Surface, board: Board, scene: Scene, radius: number): number[] {
    const { lines, wide, high, inks } = scene;
    const { laid, order, lit, numbers, by } = board;
    const subset = board.subset ? new Set(board.subset) : null;
    if (board.litCount < laid.count) {
      const mark = this.#stamp(inks.faded, 'circle', Math.max(1.5, 0.6 * radius), '', on.dense);
      for (const i of order) if (!lit[i]) put(on, mark, across(lines, laid.x[i]!), down(lines, laid.y[i]!));
    }
    const seen: number[] = [];
    const marks = new Map<number, Stamp>();
    const passes = by === 'wrong' ? [-1, 0, 1] : [null]; // errors are drawn over what is right
    for (const pass of passes) {
      for (const i of order) {
        const number = numbers[i]!;
        if (!lit[i] || (pass !== null && number !== pass)) continue;
        const x = across(lines, laid.x[i]!), y = down(lines, laid.y[i]!);
        if (x < -BEYOND || y < -BEYOND || x > wide + BEYOND || y > high + BEYOND) continue;
        if (seen.length <= MOST_PHOTOS) seen.push(i);
        const out = subset !== null && !subset.has(i);
        const key = 2 * number + (out ? 1 : 0);
        let mark = marks.get(key);
        if (!mark) {
          const [colour, shape] = markOf(board, inks, number);
          const large = by === 'wrong' && number === 1 ? 1.25 * radius : radius;
          mark = this.#stamp(out ? inks.faded : colour, shape, out ? 0.8 * large : large, inks.ground, on.dense);
          marks.set(key, mark);
        }
        put(on, mark, x, y);
      }
    }
    return seen;
  }

  #stamp(colour: string, shape: string, radius: number, halo: string, dense: number): Stamp {
    const key = `${colour} ${shape} ${radius} ${halo}`;
    let made = this.#stamps.get(key);
    if (!made) {
      made = stamp(colour, shape, radius, halo, dense);
      this.#stamps.set(key, made);
    }
    return made;
  }
}

/** Radius of a mark in CSS pixels, in quarters: few photos, or a closer look, make larger ones. */
function radiusOf(count: number, closer: number): number {
  const plain = count > 4000 ? 2.6 : count > 800 ? 3.4 : 5;
  return Math.round(4 * plain * Math.min(2.4, Math.max(1, closer) ** 0.3)) / 4;
}

function photoSize(board: Board, count: number, wide: number, high: number): [number, number] {
  const longest = Math.min(110, Math.max(44, 0.42 * Math.sqrt((wide * high) / count)));
  const factor = longest / Math.max(board.sheets.width, board.sheets.height);
  return [board.sheets.width * factor, board.sheets.height * factor];
}

function framed(
  pen: CanvasRenderingContext2D, board: Board, scene: Scene, i: number, w: number, h: number, colour: string, line: number,
): void {
  const x = across(scene.lines, board.laid.x[i]!) - w / 2, y = down(scene.lines, board.laid.y[i]!) - h / 2;
  board.sheets.draw(pen, i, x, y, w, h);
  pen.strokeStyle = colour;
  pen.lineWidth = line;
  pen.strokeRect(x, y, w, h);
}

function ring(pen: CanvasRenderingContext2D, board: Board, scene: Scene, i: number, radius: number): void {
  pen.strokeStyle = scene.inks.accent;
  pen.lineWidth = 3;
  pen.beginPath();
  pen.arc(across(scene.lines, board.laid.x[i]!), down(scene.lines, board.laid.y[i]!), radius + 5, 0, 7);
  pen.stroke();
}
