// The picture as the network gets it, as an address for <img>: one request at a time, the newest wish next.

import type { About } from '../api.gen';
import { blob } from '../api';

export class InputPicture {
  src = $state('');
  trouble = $state('');
  #asked = '';
  #wish = '';
  #busy = false;

  /** About as JSON; "" for no picture. */
  want(wish: string): void {
    this.#wish = wish;
    if (!wish) this.#show('');
    void this.#next();
  }

  leave(): void {
    this.#wish = '';
    this.#show('');
  }

  async #next(): Promise<void> {
    if (this.#busy || !this.#wish || this.#wish === this.#asked) return;
    this.#busy = true;
    const wish = (this.#asked = this.#wish);
    try {
      const made = await blob('/api/input', JSON.parse(wish) as About);
      if (this.#wish) this.#show(URL.createObjectURL(made));
      this.trouble = '';
    } catch (error) {
      this.trouble = (error as Error).message;
    }
    this.#busy = false;
    void this.#next();
  }

  #show(src: string): void {
    if (this.src) URL.revokeObjectURL(this.src);
    this.src = src;
    if (!src) this.#asked = '';
  }
}
