// A comparison's layers -> what the page lists and draws.

import type { ComparedLayer, Comparison } from '../api.gen';

export type Status = ComparedLayer['status'];

/** What each status is called, and its colour. */
export const STATUS: Record<Status, { says: string; colour: string }> = {
  equal: { says: 'equal', colour: 'var(--grid)' },
  rounding: { says: 'equal but for rounding', colour: 'var(--rule)' },
  weights: { says: 'other weights', colour: 'var(--c1)' },
  settings: { says: 'other settings', colour: 'var(--c2)' },
  'only a': { says: 'only in the first', colour: 'var(--c3)' },
  'only b': { says: 'only in the second', colour: 'var(--warn)' },
};

/** One sentence that says how much the two differ. */
export function summary(found: Comparison): string {
  const total = found.layers.length;
  if (found.equal === total) return `All ${total} layers are equal, weights included, bit for bit.`;
  const parts = [
    `${found.equal} of ${total} layers are equal`,
    counted(found.rounding, 'is equal but for rounding', 'are equal but for rounding'),
    counted(found.weights, 'differs in weights only', 'differ in weights only'),
    counted(found.settings, 'differs in settings', 'differ in settings'),
    counted(found.only_a, 'is only in the first', 'are only in the first'),
    counted(found.only_b, 'is only in the second', 'are only in the second'),
  ];
  return `${parts.filter(Boolean).join(', ')}.`;
}

function counted(count: number, one: string, many: string): string {
  return count ? `${count} ${count === 1 ? one : many}` : '';
}

/** Where their values part on the picture, as a sentence; "" without a picture. */
export function parting(found: Comparison): string {
  if (!found.a.top.length) return '';
  if (!found.layers.some(({ activation }) => activation !== null)) return 'No layer of the two has values of the same shape, so they cannot be set side by side on the picture.';
  return found.parts_at
    ? `On this picture their values part at ${found.parts_at}.`
    : 'On this picture their values never part.';
}

/** Relative difference -> share of a bar's length: each tenfold is a fifth, from a hundred-thousandth to all. */
export function length(relative: number | null): number {
  if (relative === null || relative <= 0) return 0;
  return Math.min(1, Math.max(0.02, 1 + Math.log10(relative) / 5));
}

/** One name where both have the same or only one has the layer. */
export function named({ a, b }: Pick<ComparedLayer, 'a' | 'b'>): string {
  return !a || !b || a === b ? a || b : `${a} | ${b}`;
}

/** What differs, in words: settings with both values, arrays with both shapes. */
export function differing(layer: ComparedLayer): string {
  const said = Object.entries(layer.settings).map(([name, [a, b]]) => `${name} ${short(a)} | ${short(b)}`);
  for (const [name, [a, b]] of Object.entries(layer.weights?.shapes ?? {}))
    said.push(!a.length ? `${name} only in the second` : !b.length ? `${name} only in the first` : `${name} ${a.join(' × ')} | ${b.join(' × ')}`);
  if (layer.weights?.largest) said.push('weights');
  return said.join('; ') || STATUS[layer.status].says;
}

function short(value: unknown): string {
  if (Array.isArray(value)) return value.map(short).join(' × ');
  return value === null || value === undefined ? 'none' : String(value);
}
