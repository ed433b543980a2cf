// A frame of /api/live: uint32 length of the head (little-endian), the head as JSON, then bytes (studio/frames.py).

import type { AnswerHead, MapHead, RefusedHead } from './api.gen';
import { LEVELS } from './lut';

/** Maps of one layer: `planes` holds channel after channel, row after row, one byte each (see `valueAt`). */
export interface MapFrame {
  key: string;
  seq: number;
  layer: string;
  view: MapHead['view'];
  shape: readonly number[];
  height: number;
  width: number;
  channels: readonly number[];
  lo: readonly number[];
  hi: readonly number[];
  fullLo: number;
  fullHi: number;
  silent: readonly number[];
  missing: boolean;
  changed: boolean;
  planes: Uint8Array;
}

/** Probabilities of all classes after and before the edits. */
export interface Answer {
  seq: number;
  p: Float32Array;
  before: Float32Array;
  names: readonly string[] | null;
  top: readonly number[];
  ran: number;
  steps: number;
  ms: number;
  nonFinite: string;
}

export type Frame =
  | { kind: 'map'; map: MapFrame }
  | { kind: 'answer'; answer: Answer }
  | { kind: 'refused'; seq: number; told: RefusedHead['told'] };

/** Bytes of one message -> what it holds. Throws RangeError or SyntaxError where it is none of the studio's. */
export function decoded(buffer: ArrayBuffer): Frame {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length))) as MapHead | AnswerHead | RefusedHead;
  const start = 4 + length;
  if (head.kind === 'refused') return { kind: 'refused', seq: head.seq, told: head.told };
  if (head.kind === 'answer') return { kind: 'answer', answer: answered(head, buffer, start) };
  return { kind: 'map', map: mapped(head as MapHead, buffer, start) };
}

function mapped(head: MapHead, buffer: ArrayBuffer, start: number): MapFrame {
  const [height, width] = head.size;
  return {
    key: head.key,
    seq: head.seq,
    layer: head.layer,
    view: head.view,
    shape: head.shape,
    height,
    width,
    channels: head.channels,
    lo: head.lo.map((v) => v ?? NaN),
    hi: head.hi.map((v) => v ?? NaN),
    fullLo: head.full_lo ?? NaN,
    fullHi: head.full_hi ?? NaN,
    silent: head.silent,
    missing: head.missing ?? false,
    changed: head.changed ?? false,
    planes: new Uint8Array(buffer, start, head.channels.length * height * width),
  };
}

function answered(head: AnswerHead, buffer: ArrayBuffer, start: number): Answer {
  const n = head.classes;
  return {
    seq: head.seq,
    p: new Float32Array(buffer, start, n),
    before: new Float32Array(buffer, start + 4 * n, n),
    names: head.names ?? null,
    top: head.top,
    ran: head.ran,
    steps: head.steps,
    ms: head.ms,
    nonFinite: head.non_finite ?? '',
  };
}

/** Frame, place in it (which of its channels, row, column) -> the value, off by at most (hi - lo) / 508; NaN for none. */
export function valueAt(frame: MapFrame, plane: number, row: number, column: number): number {
  const byte = frame.planes[(plane * frame.height + row) * frame.width + column];
  const lo = frame.lo[plane];
  const hi = frame.hi[plane];
  if (byte === undefined || byte > LEVELS || lo === undefined || hi === undefined) return NaN;
  return lo + (byte / LEVELS) * (hi - lo);
}
