// A frame of float32: uint32 length of the head (little-endian), the head as JSON, then the numbers (studio/frames.py).

import type { KernelsHead, KernelsRequest, PlaneHead, PlaneRequest } from '../api.gen';
import { blob } from '../api';

export interface Packet<Head> {
  head: Head;
  data: Float32Array;
}

export function unpacked<Head>(buffer: ArrayBuffer): Packet<Head> {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length))) as Head;
  return { head, data: new Float32Array(buffer, 4 + length) };
}

export async function plane(asked: PlaneRequest, signal?: AbortSignal): Promise<Packet<PlaneHead>> {
  return unpacked(await (await blob('/api/unfold/plane', asked, { signal })).arrayBuffer());
}

export async function kernels(asked: KernelsRequest, signal?: AbortSignal): Promise<Packet<KernelsHead>> {
  return unpacked(await (await blob('/api/kernels', asked, { signal })).arrayBuffer());
}
