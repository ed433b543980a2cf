// What the server says of the list of edits: in words, what followed, why it is refused. Asked once for all who show it.

import { about } from '../about';
import { post } from '../api';
import type { Edits } from '../api.gen';

class Told {
  now = $state.raw<Edits | null>(null);
  #asked = '';
  #stop: AbortController | null = null;
  #watching = 0;

  /** Follows the address while a component is there; call it in an effect. -> leaves again. */
  follow(): () => void {
    this.#watching++;
    const { model, edits } = about();
    const text = JSON.stringify({ model, edits });
    if (model && text !== this.#asked) this.#ask(text);
    return () => {
      if (--this.#watching === 0) this.#leave();
    };
  }

  #ask(text: string): void {
    this.#stop?.abort();
    const stop = new AbortController();
    this.#stop = stop;
    this.#asked = text;
    post('/api/edits', JSON.parse(text), { signal: stop.signal }).then(
      (found) => (this.now = found),
      () => {
        if (this.#asked === text && !stop.signal.aborted) this.#asked = '';
      },
    );
  }

  #leave(): void {
    queueMicrotask(() => {
      if (this.#watching > 0) return;
      this.#stop?.abort();
      this.#asked = '';
      this.now = null;
    });
  }
}

export const told = new Told();
