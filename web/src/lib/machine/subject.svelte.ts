// The network and where its boxes lie, asked for again when the model, its edits or the opened blocks change. What was
// there stays until the next is there, so that nothing flickers.

import { type Told, post } from '../api';
import type { Diagram, Machine } from '../api.gen';

export interface Asked {
  model: string;
  edits: Record<string, unknown>[];
  opened: string[];
}

/** Boxes of the first view, and where all blocks are open. */
const [FIRST, ALL] = [40, 2000];

export class Subject {
  machine = $state.raw<Machine | null>(null);
  diagram = $state.raw<Diagram | null>(null);
  /** Why the network could not be opened, or not with these edits. */
  trouble = $state.raw<Told | null>(null);
  busy = $state(false);
  #model = '';

  /** -> stops waiting for the answers. */
  ask({ model, edits, opened }: Asked): () => void {
    if (model !== this.#model) {
      this.#model = model;
      this.machine = this.diagram = this.trouble = null;
    }
    const stop = new AbortController();
    if (model) void this.#fetch({ model, edits, opened }, stop.signal);
    return () => stop.abort();
  }

  async #fetch({ model, edits, opened }: Asked, signal: AbortSignal): Promise<void> {
    this.busy = true;
    const all = opened.includes('all');
    const plan = { expanded: opened.filter((one) => one !== 'all'), most: all ? ALL : FIRST };
    try {
      const drawn = post('/api/diagram', { model, edits, ...plan }, { signal }).catch((error: Told) => error);
      const machine = await post('/api/machine', { model, edits }, { signal });
      const diagram = await drawn;
      if (diagram instanceof Error && machine.answer === 'full') throw diagram;
      this.machine = machine;
      this.diagram = diagram instanceof Error ? null : diagram;
      this.trouble = null;
    } catch (error) {
      if (signal.aborted) return;
      this.trouble = error as Told;
      // Edits that do not fit: the network without them stays to be seen, so that they can be mended.
      if (edits.length && !this.machine) {
        await this.#fetch({ model, edits: [], opened }, signal);
        this.trouble = error as Told;
      }
    }
    this.busy = false;
  }
}
