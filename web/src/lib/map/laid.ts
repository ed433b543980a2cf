// A map's points as they come: uint32 length of the head (little-endian), the head as JSON, then its columns as bytes.

import type { DataMap } from '../api.gen';

/** A map: what is said of it, and a number for each photo in each column. `near`: `nearby` photos for each. */
export interface Laid {
  id: string;
  head: DataMap;
  count: number;
  x: Float32Array;
  y: Float32Array;
  label: Int32Array;
  predicted: Int32Array;
  probability: Float32Array;
  wrong: Uint8Array | null;
  agree: Float32Array;
  among: Int32Array;
  near: Int32Array;
  nearby: number;
}

type Numbers = Float32Array | Int32Array | Uint8Array;
const KINDS = { f4: Float32Array, i4: Int32Array, u1: Uint8Array } as const;

/** Bytes of a map -> its columns, as views into them. Throws RangeError or SyntaxError where it is no map. */
export function laidOut(id: string, buffer: ArrayBuffer): Laid {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length))) as DataMap;
  const columns = new Map<string, Numbers>();
  let nearby = 0;
  for (const { name, type, width, offset } of head.columns) {
    columns.set(name, new KINDS[type](buffer, 4 + length + offset, head.count * width));
    if (name === 'near') nearby = width;
  }
  const column = <T extends Numbers>(name: string) => columns.get(name) as T;
  return {
    id, head, nearby, count: head.count,
    x: column('x'), y: column('y'), label: column('label'), predicted: column('predicted'),
    probability: column('probability'), wrong: columns.has('wrong') ? column<Uint8Array>('wrong') : null,
    agree: column('agree'), among: column('among'), near: column('near'),
  };
}

/** What the colours say. */
export type By = 'label' | 'predicted' | 'wrong';

/** The number that photo `i` has in a way of colouring; -1 where there is none. */
export function numberOf(laid: Laid, by: By, i: number): number {
  if (by === 'wrong') return laid.label[i]! < 0 ? -1 : (laid.wrong?.[i] ?? -1);
  return laid[by][i] ?? -1;
}

/** What a number is called in a way of colouring. */
export function nameOf(laid: Laid, by: By, number: number): string {
  if (number < 0) return 'no class given';
  const names = by === 'label' ? laid.head.classes : by === 'predicted' ? laid.head.answers : ['right', 'wrong'];
  return names[number] ?? `class ${number}`;
}

/** The ways of colouring that this map has. */
export function waysOf(laid: Laid): By[] {
  return [...(laid.head.labelled ? ['label' as const] : []), 'predicted', ...(laid.wrong ? ['wrong' as const] : [])];
}

/** A photo whose neighbours in the layer are mostly of one other class. */
export function isStranger(laid: Laid, i: number): boolean {
  return laid.label[i]! >= 0 && laid.among[i]! >= 0 && laid.among[i] !== laid.label[i];
}
