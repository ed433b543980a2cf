// What the page is about, as the address says it: model, picture, edits of the one and changes of the other.

import type { About, PictureChange } from './api.gen';
import { packed, unpacked, url } from './url.svelte';

export type Edit = Record<string, unknown>;

/** -> what every request names. Read inside an effect or a template it follows the address. */
export function about(): Required<Pick<About, 'model' | 'picture' | 'edits' | 'shift'>> {
  return { model: url.get('model') ?? '', picture: url.get('picture') ?? '', edits: edits(), shift: shift() };
}

export function edits(): Edit[] {
  return listed<Edit>(url.get('edits'));
}

export function shift(): PictureChange[] {
  return listed<PictureChange>(url.get('shift'));
}

/** Edits in order -> the address. `replace`: without a step of the back button. */
export function setEdits(list: readonly Edit[], options: { replace?: boolean } = {}): void {
  url.set({ edits: list.length ? packed(list) : null }, options);
}

export function setShift(list: readonly PictureChange[], options: { replace?: boolean } = {}): void {
  url.set({ shift: list.length ? packed(list) : null }, options);
}

function listed<T>(text: string | null): T[] {
  const found = unpacked<T[]>(text);
  return Array.isArray(found) ? found : [];
}
