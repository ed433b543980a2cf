// The picture as the network gets it: an address for <img>, and its greys to lay maps on.

import { blob } from '../api';
import type { About } from '../api.gen';
import { greys } from './overlay';

export class InputPicture {
  /** For <img>; null while it is fetched. */
  address = $state<string | null>(null);
  grey = $state.raw<Float32Array | null>(null);
  /** Why there is none. */
  refused = $state('');
  #turn = 0;

  async fetch(about: About): Promise<void> {
    const turn = ++this.#turn;
    this.refused = '';
    try {
      const file = await blob('/api/input', about);
      const read = await pixels(file);
      if (turn !== this.#turn) return;
      this.#release();
      this.address = URL.createObjectURL(file);
      this.grey = greys(read);
    } catch (why) {
      if (turn === this.#turn) this.refused = why instanceof Error ? why.message : String(why);
    }
  }

  leave(): void {
    this.#turn++;
    this.#release();
  }

  #release(): void {
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = null;
  }
}

async function pixels(file: Blob): Promise<Uint8ClampedArray> {
  const bitmap = await createImageBitmap(file);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('This browser draws no pictures on a canvas.');
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
}
