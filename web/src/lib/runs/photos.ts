import { address, post } from '../api';
import { url } from '../url.svelte';

/** Where a small picture of a data set's photo comes from. */
export function smallPhoto(data: string, name: string, side = 128): string {
  return address('/api/photos/small', { data, name, side });
}

/** Opens a data set's photo in Machine, with a run's own model. Throws Told where it is not there any more. */
export async function openPhoto(model: string, data: string, name: string): Promise<void> {
  const { picture } = await post('/api/photos/address', { data, name });
  url.go('machine', { model, picture, data, edits: null, shift: null });
}
