// What the pointer or the keys are at: a box of the drawing, a cell of a map and the pixels that it sees.

import type { Range } from '../lut';
import type { Scale } from '../paint';
import { url } from '../url.svelte';
import type { Rectangle } from './sight';

export type View = 'after' | 'before' | 'difference';

export interface CellShown {
  layer: string;
  channel: number | null;
  row: number;
  column: number;
  value: number;
}

class Looking {
  /** A box under the pointer or with the focus: what feeds it and what it feeds lights up. */
  box = $state.raw<string | null>(null);
  cell = $state.raw<CellShown | null>(null);
  /** Pixels of the network's input that the cell sees. */
  sight = $state.raw<Rectangle | null>(null);
  /** What the colours stand for where one scale spans the whole network. */
  range = $state.raw<Range | null>(null);

  leave(): void {
    this.cell = null;
    this.sight = null;
  }
}

export const looking = new Looking();

const SCALES: readonly Scale[] = ['channel', 'layer', 'network'];
const VIEWS: readonly View[] = ['after', 'before', 'difference'];

/** What shares one scale of colours, as the address says. */
export function scale(): Scale {
  return SCALES.find((one) => one === url.get('scale')) ?? 'layer';
}

/** Which maps are shown where there are edits: after them, before them, or what they changed. */
export function view(): View {
  return VIEWS.find((one) => one === url.get('view')) ?? 'after';
}

/** Blocks that the address opens; "all" opens every one. */
export function opened(): string[] {
  return (url.get('open') ?? '').split(',').filter(Boolean);
}

export function setOpened(blocks: readonly string[]): void {
  url.set({ open: blocks.length ? [...new Set(blocks)].join(',') : null });
}

/** "conv1[3,10,12]" -> the layer and its cell; null for anything else. */
export function cellOf(text: string | null): { layer: string; cell: number[] } | null {
  const found = /^(.+)\[(\d+(?:,\d+)*)\]$/.exec(text ?? '');
  return found ? { layer: found[1]!, cell: found[2]!.split(',').map(Number) } : null;
}
