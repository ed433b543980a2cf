// Small pictures of a map's photos: tiles of a few large JPEGs that are loaded once.

import type { Laid } from './laid';

export class Sheets {
  readonly width: number;
  readonly height: number;
  /** Grows with every sheet that has come: who draws tiles draws again. */
  arrived = $state(0);
  readonly #columns: number;
  readonly #images: HTMLImageElement[];
  readonly #id: string;

  constructor(laid: Laid) {
    const { columns, width, height, count } = laid.head.sheets;
    this.#columns = columns;
    this.width = width;
    this.height = height;
    this.#id = laid.id;
    this.#images = Array.from({ length: count }, (_, k) => {
      const image = new Image();
      image.src = this.#address(k);
      image.decode().then(() => this.arrived++, () => undefined);
      return image;
    });
  }

  /** Draws photo `i` into a box of a canvas; nothing while its sheet has not come. */
  draw(pen: CanvasRenderingContext2D, i: number, x: number, y: number, w: number, h: number): void {
    const { sheet, column, row } = this.#place(i);
    const image = this.#images[sheet];
    if (!image?.complete || !image.naturalWidth) return;
    pen.imageSmoothingEnabled = this.width > 32 || w < this.width;
    pen.drawImage(image, column * this.width, row * this.height, this.width, this.height, x, y, w, h);
  }

  /** Style of an element that shows photo `i`, its longer side `longest` pixels. */
  style(i: number, longest: number): string {
    const { sheet, column, row } = this.#place(i);
    const factor = longest / Math.max(this.width, this.height);
    const w = Math.round(this.width * factor), h = Math.round(this.height * factor);
    const image = this.#images[sheet];
    const size = `${((image?.naturalWidth || this.width) / this.width) * w}px ${((image?.naturalHeight || this.height) / this.height) * h}px`;
    const crisp = factor > 1 && this.width <= 32 ? 'image-rendering:pixelated;' : '';
    return `width:${w}px;height:${h}px;background:url(${this.#address(sheet)}) -${column * w}px -${row * h}px/${size} no-repeat;${crisp}`;
  }

  #place(i: number): { sheet: number; column: number; row: number } {
    const each = this.#columns * this.#columns, k = i % each;
    return { sheet: Math.floor(i / each), column: k % this.#columns, row: Math.floor(k / this.#columns) };
  }

  #address(sheet: number): string {
    return `/api/maps/${this.#id}/sheets/${sheet}`;
  }
}
