import { describe, expect, it } from 'vitest';
import { decoded, valueAt } from './frame';
import { cellAt, gridOf, inLayer } from './paint';

function message(head: object, data: Uint8Array = new Uint8Array()): ArrayBuffer {
  let text = JSON.stringify(head);
  text += ' '.repeat((4 - (new TextEncoder().encode(text).length % 4)) % 4);
  const bytes = new TextEncoder().encode(text);
  const made = new Uint8Array(4 + bytes.length + data.length);
  new DataView(made.buffer).setUint32(0, bytes.length, true);
  made.set(bytes, 4);
  made.set(data, 4 + bytes.length);
  return made.buffer;
}

const HEAD = {
  kind: 'map', seq: 3, key: 'a', layer: 'Größe', view: 'after', shape: [8, 4, 6], size: [2, 3], channels: [5, 7],
  lo: [-1, 0], hi: [1, 2.54], full_lo: -1, full_hi: 2.54, silent: [], changed: true, missing: false,
};
const PLANES = Uint8Array.from([0, 127, 254, 255, 1, 2, 0, 100, 254, 0, 0, 0]);

describe('a frame of maps', () => {
  const frame = decoded(message(HEAD, PLANES));
  if (frame.kind !== 'map') throw new Error(frame.kind);
  it('keeps its head and its bytes', () => {
    expect(frame.map.layer).toBe('Größe');
    expect([frame.map.height, frame.map.width]).toEqual([2, 3]);
    expect([...frame.map.planes]).toEqual([...PLANES]);
  });
  it('gives values in the units of the layer', () => {
    expect(valueAt(frame.map, 0, 0, 0)).toBe(-1);
    expect(valueAt(frame.map, 0, 0, 1)).toBe(0);
    expect(valueAt(frame.map, 1, 0, 1)).toBeCloseTo(1, 6);
    expect(valueAt(frame.map, 0, 1, 0)).toBeNaN();
    expect(valueAt(frame.map, 2, 0, 0)).toBeNaN();
  });
  it('lies as a grid that a place can be looked up in', () => {
    const grid = gridOf(frame.map, { columns: 2, gap: 1 });
    expect(grid).toEqual({ columns: 2, rows: 1, stepX: 4, stepY: 3 });
    expect(cellAt(frame.map, grid, 5.2, 1.9)).toMatchObject({ plane: 1, channel: 7, row: 1, column: 1, value: 0 });
    expect(cellAt(frame.map, grid, 3.5, 0)).toBeNull();
    expect(cellAt(frame.map, grid, 9, 0)).toBeNull();
    expect(inLayer(frame.map, 1, 2)).toEqual([3, 5]);
  });
});

describe('other frames', () => {
  it('an answer holds both rows of probabilities', () => {
    const p = new Float32Array([0.25, 0.75, 1, 0]);
    const head = { kind: 'answer', seq: 1, classes: 2, names: null, top: [1, 0], ran: 4, steps: 9, ms: 2.5, non_finite: '' };
    const frame = decoded(message(head, new Uint8Array(p.buffer)));
    if (frame.kind !== 'answer') throw new Error(frame.kind);
    expect([...frame.answer.p]).toEqual([0.25, 0.75]);
    expect([...frame.answer.before]).toEqual([1, 0]);
  });
  it('a refusal keeps its sentence', () => {
    const told = { kind: 'input', message: 'No.', layer: '', remedies: [] };
    expect(decoded(message({ kind: 'refused', seq: 2, told }))).toEqual({ kind: 'refused', seq: 2, told });
  });
  it('what is no frame is an error', () => {
    expect(() => decoded(new ArrayBuffer(2))).toThrow(RangeError);
    expect(() => decoded(message({}).slice(0, 5))).toThrow();
  });
});
