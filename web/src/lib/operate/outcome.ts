// What the jobs about an edited network bring back, as the server's results say it.

import { percent } from '../words';

export interface Measured {
  accuracy: number;
  low: number;
  high: number;
  loss: number;
}

export interface Flip {
  picture: string;
  true: string | null;
  before: { class: string; probability: number };
  after: { class: string; probability: number };
}

/** Of POST /api/accuracy. `before`, `after`: null where the photos have no labels. */
export interface OnData {
  data: string;
  pictures: number;
  agreement: number;
  before: Measured | null;
  after: Measured | null;
  won: number | null;
  lost: number | null;
  flips: Flip[];
  /** What was measured: the list of edits as it stood. */
  edits: unknown[];
  thumbnails: string[];
}

/** Of the verb `heal`. */
export interface Healed {
  path: string;
  learned: { layer: string; why: string }[];
  before: Measured;
  after: Measured;
  held_out: number;
  ended: string;
}

/** Of the verb `shift`. */
export interface Shifted {
  amounts: number[];
  probabilities: number[][];
  classes: string[];
  start: number;
  invariance: number;
}

export function flipWords(flip: Flip): string {
  const truth = flip.true === null ? '' : `; it is ${flip.true}`;
  return `${flip.picture}: ${flip.before.class} (${percent(flip.before.probability)}) became ${flip.after.class} (${percent(flip.after.probability)})${truth}`;
}

/** Last part of a path, of either kind. */
export function fileName(path: string): string {
  return path.split(/[/\\]/).at(-1) ?? path;
}
