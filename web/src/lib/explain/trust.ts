// What the verb trust brings (verbs/trust.py): every check of every method over a data set.

import type { Level } from './verdicts';

export interface Mean {
  mean: number;
  low: number | null;
  high: number | null;
  n: number;
}

export interface TrustRow {
  method: string;
  verdict: Level;
  sentence: string;
  layer: string | null;
  checks: Record<string, Mean | null>;
  passes: number;
  doubtful: number;
  fails: number;
  seconds: { map: number; with_checks: number };
}

export interface TrustFound {
  data: string;
  of: number;
  pictures: number;
  methods: readonly TrustRow[];
  left_out: readonly { method: string; why: string }[];
  stopped: boolean;
  path: string;
  chart: string | null;
  titles: Readonly<Record<string, string>>;
  columns: readonly Column[];
}

/** A check, as the chart of the verb has it. */
export interface Column {
  name: string;
  title: string;
  words: string;
  /** Where a bad mean begins, and on which side. */
  limit: number;
  bad: 'below' | 'above';
  low: number;
  high: number;
}

export function isBad(mean: Mean, { limit, bad }: Column): boolean {
  return bad === 'below' ? mean.mean < limit : mean.mean > limit;
}

/** A value -> its place from 0 to 1 on the column's scale, which goes on to values below 0. */
export function placed(value: number, { low, high }: Column): number {
  const from = low - (high - low) * 0.4;
  return Math.min(1, Math.max(0, (value - from) / (high - from)));
}
