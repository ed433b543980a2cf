// The list of edits as it is changed: the address holds it, this remembers the way to it. Ctrl+Z goes back.

import { type Edit, edits, setEdits } from '../about';
import { url } from '../url.svelte';
import { type Branches, keep, kept } from './branches';
import { back, begun, forth, merged, moved, type Steps } from './steps';

const KEY = 'cutaway.steps';

class Edits {
  #steps = $state.raw<Steps>(begun('[]'));
  #model = '';
  #by = '';
  branches = $state.raw<Branches>({});
  readonly canUndo = $derived(back(this.#steps) !== null);
  readonly canRedo = $derived(forth(this.#steps) !== null);

  constructor() {
    $effect.root(() => {
      $effect(() => this.#follow(url.get('model') ?? '', JSON.stringify(edits())));
    });
    addEventListener('keydown', (event) => this.#pressed(event));
  }

  /** A new list, by whom: the same control that changes it again goes on in the same step. */
  become(list: readonly Edit[], by = ''): void {
    const text = JSON.stringify(list);
    if (text === this.#steps.now) return;
    const again = by !== '' && by === this.#by;
    this.#by = by;
    this.#take(again ? merged(this.#steps, text) : moved(this.#steps, text), again);
  }

  undo(): void {
    this.#go(back(this.#steps));
  }

  redo(): void {
    this.#go(forth(this.#steps));
  }

  /** Lists that were undone and can come again, the next one last. */
  get undone(): Edit[] {
    const now = edits();
    const far = JSON.parse(this.#steps.future[0] ?? '[]') as Edit[];
    return far.length > now.length ? far.slice(now.length).reverse() : [];
  }

  keep(branches: Branches): void {
    this.branches = branches;
    keep(this.#model, branches);
  }

  #go(steps: Steps | null): void {
    this.#by = '';
    if (steps) this.#take(steps, false);
  }

  #take(steps: Steps, replace: boolean): void {
    this.#remember(steps);
    setEdits(JSON.parse(steps.now) as Edit[], { replace });
  }

  #remember(steps: Steps): void {
    this.#steps = steps;
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ model: this.#model, steps }));
    } catch {
      /* a full or forbidden store: the way back lasts as long as the page */
    }
  }

  /** The address changed: by this list, by the back button, by another model. */
  #follow(model: string, now: string): void {
    if (model !== this.#model) {
      this.#model = model;
      this.branches = kept(model);
      this.#remember(found(model, now));
    } else if (now !== this.#steps.now) {
      this.#by = '';
      this.#remember(moved(this.#steps, now));
    }
  }

  #pressed(event: KeyboardEvent): void {
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.altKey || (key !== 'z' && key !== 'y') || writes(event.target)) return;
    if (url.page !== 'machine') return;
    event.preventDefault();
    if (key === 'y' || event.shiftKey) this.redo();
    else this.undo();
  }
}

/** Fields with an undo of their own. */
function writes(target: EventTarget | null): boolean {
  return target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && /^(text|search|number)$/.test(target.type) && target.dataset.undo !== 'edits');
}

/** What this tab remembers of the way to these edits of this model. */
function found(model: string, now: string): Steps {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as { model: string; steps: Steps } | null;
    if (kept?.model === model) return kept.steps.now === now ? kept.steps : begun(now);
  } catch {
    /* what cannot be read is as good as nothing */
  }
  return begun(now);
}

export const list = new Edits();
