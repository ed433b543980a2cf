// Ranks and lanes -> places on the sheet. The machine runs from left to right and folds at the end of a line, as a score
// does. Skips and the bars of opened blocks lie below the boxes, so that all that lies before a change keeps its place.

import type { Box, Edge } from '../api.gen';
import { type Face, faceOf } from './face';
import { type Point, rounded } from './path';

export const PITCH = 140;
export const MARGIN = 34;
/** The name of the plate at the end that shows the probabilities; no step can be called so. */
export const ANSWER = ' answer';
const RISE = 12;
const TALLEST = 108;
const WORDS = 38;
const LANE = RISE + TALLEST + WORDS + 10;
const TRACK = 7;
const BAR = 20;

export interface Place extends Face {
  name: string;
  rank: number;
  lane: number;
  row: number;
  column: number;
  /** Left and top edge of the front face, the height of its middle, and where the words under it begin. */
  x: number;
  y: number;
  middle: number;
  words: number;
}

export interface Wire {
  source: string;
  target: string;
  skip: boolean;
  path: string;
  /** Where it arrives. */
  end: Point;
}

/** One line's part of an opened block: a bar below its boxes. */
export interface Bracket {
  block: string;
  /** Its name without that of the bar below it, which holds it. */
  label: string;
  x: number;
  y: number;
  width: number;
  begins: boolean;
  ends: boolean;
}

export interface Score {
  places: Map<string, Place>;
  wires: Wire[];
  brackets: Bracket[];
  width: number;
  height: number;
}

interface Line {
  lanes: number;
  /** How many bars lie below each of them. */
  bars: number[];
  /** Channels that are used here, the one nearest to the boxes first. */
  tracks: number[];
  top: number;
  /** Wires that go on to the next line, the topmost first. */
  over: string[];
}

type Drawn = Pick<Box, 'name' | 'shape' | 'rank' | 'lane' | 'kind'>;

/** Boxes and edges as the server placed them, boxes in a line, box -> opened blocks that hold it -> the drawing. */
export function score(boxes: readonly Drawn[], edges: readonly Edge[], columns: number, held: (name: string) => readonly string[] = () => []): Score {
  const [all, wired] = answered(boxes, edges);
  const across = Math.max(1, Math.min(columns, 1 + Math.max(0, ...all.map((box) => box.rank))));
  const at = new Map(all.map((box) => [box.name, { box, row: Math.floor(box.rank / across), column: box.rank % across }]));
  const rowOf = (name: string) => at.get(name)?.row ?? 0;
  const laneOf = (name: string) => at.get(name)?.box.lane ?? 0;
  const known = bundled(wired.filter((edge) => at.has(edge.source) && at.has(edge.target)), (name) => at.get(name)!.box.rank);

  const lines: Line[] = Array.from({ length: 1 + Math.max(0, ...all.map((b) => rowOf(b.name))) }, () => ({ lanes: 1, bars: [], tracks: [], top: 0, over: [] }));
  for (const box of all) {
    const line = lines[rowOf(box.name)]!;
    line.lanes = Math.max(line.lanes, box.lane + 1);
  }
  const bars = barsOf([...at.values()], held);
  for (const { row, lane, slot } of bars) {
    const line = lines[row]!;
    line.bars[lane] = Math.max(line.bars[lane] ?? 0, slot + 1);
  }
  for (const edge of known) {
    const last = rowOf(edge.target);
    for (let row = rowOf(edge.source); row <= last; row++) {
      const line = lines[row]!;
      if (row < last) line.over.push(overKey(edge, laneOf));
      if (row === last && row > rowOf(edge.source) && at.get(edge.target)!.column === 0) continue;
      if (edge.way === 'channel') line.tracks.push(edge.channel);
      else line.lanes = Math.max(line.lanes, carrier(edge, laneOf) + 1);
    }
  }
  let top = MARGIN;
  let side = MARGIN;
  for (const line of lines) {
    line.tracks = [...new Set(line.tracks)].sort((a, b) => a - b);
    line.over = [...new Set(line.over)].sort((a, b) => height(a) - height(b));
    line.top = top;
    side = Math.max(side, 14 + apart(line) * line.over.length);
    top += laneTop(line, line.lanes) + head(line) + (line.over.length ? 10 + spread(line) * line.over.length : 0);
  }
  const middle = (row: number, lane: number) => lines[row]!.top + laneTop(lines[row]!, lane) + RISE + TALLEST / 2;

  const places = new Map<string, Place>();
  for (const { box, row, column } of at.values()) {
    const face = faceOf(box.shape, box.name === ANSWER);
    const y = middle(row, box.lane);
    const x = side + column * PITCH + (PITCH - face.width - face.deep) / 2;
    places.set(box.name, { ...face, name: box.name, rank: box.rank, lane: box.lane, row, column, x, y: y - face.height / 2, middle: y, words: y + TALLEST / 2 + 5 });
  }
  const sheet: Sheet = { lines, places, across, side, middle };
  return {
    places,
    wires: known.map((edge) => wire(edge, sheet, laneOf)).sort((a, b) => Number(b.skip) - Number(a.skip)),
    brackets: brackets(bars, lines, side),
    width: 2 * side + across * PITCH,
    height: top + MARGIN,
  };
}

/** A plate for the probabilities behind all boxes that nothing takes from. */
function answered(boxes: readonly Drawn[], edges: readonly Edge[]): [Drawn[], Edge[]] {
  if (!boxes.length) return [[], []];
  const taken = new Set(edges.map((edge) => edge.source));
  const last = Math.max(...boxes.map((box) => box.rank));
  const ends = boxes.filter((box) => !taken.has(box.name) && box.rank === last);
  return [
    [...boxes, { name: ANSWER, shape: [], rank: last + 1, lane: 0, kind: 'Answer' }],
    [...edges, ...ends.map((box) => ({ source: box.name, target: ANSWER, way: 'near' as const, channel: 0 }))],
  ];
}

/** Skips of one source run along one channel, that of the longest: it is kept free over all of their ways. */
function bundled(edges: readonly Edge[], rankOf: (name: string) => number): Edge[] {
  const longest = new Map<string, Edge>();
  for (const edge of edges) {
    if (edge.way !== 'channel') continue;
    const there = longest.get(edge.source);
    if (!there || rankOf(edge.target) > rankOf(there.target)) longest.set(edge.source, edge);
  }
  return edges.map((edge) => (edge.way === 'channel' ? { ...edge, channel: longest.get(edge.source)!.channel } : edge));
}

/** The lane that an edge runs along. */
function carrier(edge: Edge, laneOf: (name: string) => number): number {
  return laneOf(edge.way === 'target-lane' ? edge.target : edge.source);
}

/** Channels lie below all lanes. */
const BELOW = 1e6;

/** What one wire over the end of a line is known by; edges of one source along one way share it. */
function overKey(edge: Edge, laneOf: (name: string) => number): string {
  return edge.way === 'channel' ? `${BELOW + edge.channel} ${edge.source}` : `${carrier(edge, laneOf)} ${edge.source}`;
}

function height(key: string): number {
  return Number(key.slice(0, key.indexOf(' ')));
}

/** From the top of a line to that of a lane; bars lie below the lowest lane of their blocks. */
function laneTop(line: Line, lane: number): number {
  return lane * LANE + line.bars.slice(0, lane).reduce((sum, bars) => sum + (bars ?? 0) * BAR, 0);
}

function head(line: Line): number {
  return line.tracks.length ? line.tracks.length * TRACK + 8 : 0;
}

/** Distance of the wires that go over the end of a line: many lie closer. */
function spread(line: Line): number {
  return Math.min(6, 48 / Math.max(1, line.over.length));
}

/** Distance of the same beside the lines. */
function apart(line: Line): number {
  return Math.min(4, spread(line));
}

interface Sheet {
  /** Room to the left and right of the lines. */
  side: number;
  lines: Line[];
  places: Map<string, Place>;
  across: number;
  middle: (row: number, lane: number) => number;
}

function wire(edge: Edge, { lines, places, across, side, middle }: Sheet, laneOf: (name: string) => number): Wire {
  const from = places.get(edge.source)!;
  const to = places.get(edge.target)!;
  const skip = edge.way === 'channel';
  const lane = carrier(edge, laneOf);
  const straight = to.row > from.row && to.column === 0; // in from the left at its own height
  const along = (row: number) => (straight && row === to.row ? to.middle : skip ? track(lines[row]!, edge.channel) : middle(row, lane));
  const gap = (column: number) => side + (column + 1) * PITCH;
  const points: Point[] = [[from.x + from.width + from.deep / 2, from.middle]];
  const start = along(from.row);
  if (start !== from.middle) points.push([gap(from.column), from.middle], [gap(from.column), start]);
  for (let row = from.row; row < to.row; row++) points.push(...turn(lines[row]!, overKey(edge, laneOf), [side, side + across * PITCH], lines[row + 1]!.top, [along(row), along(row + 1)]));
  const end = along(to.row);
  if (end !== to.middle) points.push([gap(to.column - 1), end], [gap(to.column - 1), to.middle]);
  points.push([to.x, to.middle]);
  return { source: edge.source, target: edge.target, skip, path: rounded(points), end: [to.x, to.middle] };
}

function track(line: Line, channel: number): number {
  return line.top + laneTop(line, line.lanes - 1) + LANE + line.tracks.indexOf(channel) * TRACK;
}

/** Over the end of a line: out to the right, back below it, in again from the left; none crosses another. */
function turn(line: Line, key: string, [start, end]: Point, next: number, [leaves, enters]: Point): Point[] {
  const place = line.over.indexOf(key);
  const behind = line.over.length - 1 - place;
  const right = end + 4 + apart(line) * behind;
  const left = start - 4 - apart(line) * place;
  const below = next - 8 - spread(line) * place;
  return [[right, leaves], [right, below], [left, below], [left, enters]];
}

/** One line's part of an opened block: the lane below which its bar lies, and which of the bars there it is. */
interface Bar {
  block: string;
  outer: string;
  depth: number;
  row: number;
  lane: number;
  slot: number;
  first: number;
  last: number;
}

function barsOf(boxes: readonly { box: Drawn; row: number; column: number }[], held: (name: string) => readonly string[]): Bar[] {
  const found = new Map<string, Bar>();
  for (const { box, row, column } of boxes) {
    held(box.name).forEach((block, depth, all) => {
      const key = `${row} ${block}`;
      const there = found.get(key) ?? { block, outer: all[depth - 1] ?? '', depth, row, lane: 0, slot: 0, first: column, last: column };
      found.set(key, { ...there, lane: Math.max(there.lane, box.lane), first: Math.min(there.first, column), last: Math.max(there.last, column) });
    });
  }
  // The innermost next to its boxes; where two would lie on each other, one lies further down.
  const laid: Bar[] = [];
  for (const bar of [...found.values()].sort((a, b) => b.depth - a.depth)) {
    const beside = laid.filter((other) => other.row === bar.row && other.lane === bar.lane && other.first <= bar.last && bar.first <= other.last);
    laid.push({ ...bar, slot: 1 + Math.max(-1, ...beside.map((other) => other.slot)) });
  }
  return laid;
}

function brackets(bars: readonly Bar[], lines: Line[], side: number): Bracket[] {
  const rows = new Map<string, number[]>();
  for (const { block, row } of bars) rows.set(block, [...(rows.get(block) ?? []), row]);
  return bars.map(({ block, outer, row, lane, slot, first, last }) => {
    const line = lines[row]!;
    const below = lane === line.lanes - 1 ? head(line) : 0;
    return {
      block,
      label: outer && block.startsWith(`${outer}.`) ? block.slice(outer.length + 1) : block,
      x: side + first * PITCH + 5,
      y: line.top + laneTop(line, lane) + LANE + below + slot * BAR,
      width: (last - first + 1) * PITCH - 10,
      begins: Math.min(...rows.get(block)!) === row,
      ends: Math.max(...rows.get(block)!) === row,
    };
  });
}

/** Room for the stage -> how many boxes stand in a line, at about their own size. */
export function columnsFor(width: number): number {
  return Math.max(3, Math.floor((width - MARGIN) / (PITCH * 0.9)));
}

/** Ranks, the height of a line, a window -> how many boxes stand in a line so that all of it fills the window best. */
export function columnsToFit(ranks: number, line: number, window: { width: number; height: number }): number {
  const shape = window.width / Math.max(1, window.height);
  return Math.max(3, Math.round(Math.sqrt((ranks * shape * line) / PITCH)));
}
