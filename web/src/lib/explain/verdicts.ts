// What was measured of maps, in words and in figures; the sentences themselves come from the server.

import type { ChecksTold } from '../api.gen';
import { percent } from '../words';

export type Level = ChecksTold['level'];

export interface Figure {
  name: string;
  value: string;
  /** What it is held against, and which way is good. */
  beside: string;
}

/** Checks -> the figures of the strip, in the order in which they are read. */
export function figures(checks: ChecksTold): Figure[] {
  const areas = (random: number, edges: number) => `random ${short(random)}, edges ${short(edges)}`;
  const found: Figure[] = [
    { name: 'Deletion', value: short(checks.deletion), beside: areas(checks.deletion_random, checks.deletion_edges) },
    { name: 'Insertion', value: short(checks.insertion), beside: areas(checks.insertion_random, checks.insertion_edges) },
    { name: 'Random weights', value: rho(checks.randomised), beside: 'low is good' },
    { name: 'Moved by 1 px', value: rho(checks.shifted), beside: 'high is good' },
  ];
  if (checks.completeness !== null) found.push({ name: 'Missing in the sum', value: percent(checks.completeness), beside: '0 is exact' });
  return found;
}

function short(area: number): string {
  return area.toFixed(2);
}

function rho(value: number | null): string {
  return value === null ? '–' : `ρ ${value.toFixed(2).replace('-', '−')}`;
}

/** Titles with their verdicts -> one sentence for the head of the page; what fails is said first. */
export function summary(found: readonly { title: string; level: Level }[]): string {
  const named = (level: Level) => found.filter((one) => one.level === level).map((one) => one.title);
  const [fails, doubtful, passes] = [named('fails'), named('doubtful'), named('passes')];
  const parts: string[] = [];
  if (fails.length) parts.push(`${list(fails)} ${fails.length === 1 ? 'fails' : 'fail'} here: do not believe ${fails.length === 1 ? 'it' : 'them'}.`);
  if (doubtful.length) parts.push(`${list(doubtful)} ${doubtful.length === 1 ? 'is' : 'are'} doubtful.`);
  if (passes.length) parts.push(`${list(passes)} ${passes.length === 1 ? 'passes' : 'pass'} every check.`);
  return parts.join(' ');
}

export function list(names: readonly string[]): string {
  if (names.length < 2) return names[0] ?? '';
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** A curve of shares at equal steps -> points of an SVG line, `width` x `height`, 1 on top. */
export function points(curve: readonly number[], width: number, height: number): string {
  const last = Math.max(1, curve.length - 1);
  return curve.map((p, i) => `${round((i / last) * width)},${round((1 - p) * height)}`).join(' ');
}

function round(x: number): number {
  return Math.round(x * 10) / 10;
}
