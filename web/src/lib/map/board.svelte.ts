// What the Map page shows: a map, how it is coloured, which photos are lit, which one and which part is chosen.

import { url } from '../url.svelte';
import { percent } from '../words';
import { nameOf, numberOf, waysOf, type By, type Laid } from './laid';
import { Sheets } from './sheets.svelte';
import { choiceOf, choiceText, chosen, tally, type Choice } from './subset';
import { mixed, walk } from './view';

export class Board {
  readonly laid: Laid;
  readonly sheets: Sheets;
  readonly ways: readonly By[];
  /** In which order marks are drawn, and in which keys go from one to the next. */
  readonly order: Int32Array;
  readonly walk: Int32Array;

  words = $state('');
  readonly by: By = $derived(this.#by());
  readonly numbers: Int32Array = $derived(this.#numbers());
  readonly counts: readonly [number, number][] = $derived(this.#counts());
  readonly only: ReadonlySet<number> = $derived(new Set((url.get('only') ?? '').split(',').filter(Boolean).map(Number)));
  /** 1 for each photo that is not faded. */
  readonly lit: Uint8Array = $derived(this.#lit());
  readonly litCount: number = $derived(this.lit.reduce((sum, v) => sum + v, 0));
  readonly choice: Choice | null = $derived(choiceOf(url.get('subset')));
  readonly subset: readonly number[] | null = $derived(this.#subset());
  /** The photo that is looked at; -1: none. */
  readonly photo: number = $derived(this.#photo());

  constructor(laid: Laid) {
    this.laid = laid;
    this.sheets = new Sheets(laid);
    this.ways = waysOf(laid);
    this.order = mixed(laid.count);
    this.walk = walk(laid);
  }

  colourBy(by: By): void {
    url.set({ by, only: null });
  }

  /** Shows a class alone, or with the others that are shown alone. */
  toggle(number: number): void {
    const only = new Set(this.only);
    if (!only.delete(number)) only.add(number);
    url.set({ only: [...only].join(',') || null }, { replace: true });
  }

  look(i: number): void {
    url.set({ photo: i < 0 ? null : String(i) }, { replace: true });
  }

  choose(choice: Choice | null): void {
    url.set({ subset: choice && choiceText(choice) });
  }

  name(number: number): string {
    return nameOf(this.laid, this.by, number);
  }

  matches(number: number): boolean {
    return this.name(number).toLowerCase().includes(this.words.trim().toLowerCase());
  }

  #by(): By {
    return this.ways.find((way) => way === url.get('by')) ?? this.ways[0] ?? 'predicted';
  }

  #numbers(): Int32Array {
    return Int32Array.from({ length: this.laid.count }, (_, i) => numberOf(this.laid, this.by, i));
  }

  #counts(): [number, number][] {
    const found = tally(this.numbers);
    return this.by === 'wrong' ? found.sort((a, b) => b[0] - a[0]) : found;
  }

  #lit(): Uint8Array {
    const words = this.words.trim().toLowerCase();
    const named = new Map(this.counts.map(([number]) => [number, this.matches(number)]));
    return Uint8Array.from({ length: this.laid.count }, (_, i) => {
      const number = this.numbers[i]!;
      if (this.only.size && !this.only.has(number)) return 0;
      return !words || named.get(number) || this.laid.head.names[i]!.toLowerCase().includes(words) ? 1 : 0;
    });
  }

  #subset(): number[] | null {
    return this.choice && chosen(this.laid, this.choice);
  }

  #photo(): number {
    const text = url.get('photo');
    const i = text === null || !/^\d+$/.test(text) ? -1 : Number(text);
    return i < this.laid.count ? i : -1;
  }
}

/** What is known of a photo, as name and value. */
export function facts(laid: Laid, i: number): [string, string][] {
  const rows: [string, string][] = [];
  const label = laid.label[i]!, among = laid.among[i]!, agree = laid.agree[i]!;
  if (label >= 0) rows.push(['true class', nameOf(laid, 'label', label)]);
  rows.push(['prediction', `${nameOf(laid, 'predicted', laid.predicted[i]!)}, ${percent(laid.probability[i]!)}`]);
  if (laid.wrong && label >= 0) rows.push(['answer', laid.wrong[i] ? 'wrong' : 'right']);
  if (!Number.isNaN(agree)) {
    const others = among >= 0 && among !== label ? `; most are ${nameOf(laid, 'label', among)}` : '';
    rows.push(['neighbours', `${percent(agree, 0)} share its class${others}`]);
  }
  return rows;
}
