import { describe, expect, test } from 'vitest';
import type { Edge } from '../api.gen';
import { rounded } from './path';
import { ANSWER, PITCH, columnsFor, columnsToFit, score } from './score';

const box = (name: string, rank: number, lane = 0) => ({ name, rank, lane, shape: [8, 14, 14], kind: 'Conv2d' });
const edge = (source: string, target: string, way: Edge['way'] = 'near', channel = 0): Edge => ({ source, target, way, channel });
const chain = (length: number) => ({
  boxes: Array.from({ length }, (_, i) => box(`b${i}`, i)),
  edges: Array.from({ length: length - 1 }, (_, i) => edge(`b${i}`, `b${i + 1}`)),
});
const numbers = (path: string) => path.match(/-?\d+(\.\d+)?/g)!.map(Number);

describe('score', () => {
  test('a chain folds after so many boxes and ends in the answer', () => {
    const { boxes, edges } = chain(7);
    const { places, wires, width } = score(boxes, edges, 4);
    expect([...places.values()].map((p) => [p.row, p.column])).toEqual([[0, 0], [0, 1], [0, 2], [0, 3], [1, 0], [1, 1], [1, 2], [1, 3]]);
    expect(places.get(ANSWER)!.rank).toBe(7);
    expect(wires).toHaveLength(7);
    expect(width).toBeGreaterThan(4 * PITCH);
    expect(places.get('b4')!.middle).toBeGreaterThan(places.get('b0')!.middle);
  });

  test('what lies before an opened block keeps its place', () => {
    const { boxes, edges } = chain(6);
    const before = score(boxes, edges, 4).places;
    const [inside, skip] = [['in1', 'in2', 'in3'], edge('b1', 'b3', 'channel')];
    const opened = score([...boxes.slice(0, 2), box('in1', 2), box('in2', 3), box('in3', 3, 1), box('b3', 4), box('b4', 5), box('b5', 6)], [edges[0]!, edge('b1', 'in1'), edge('in1', 'in2'), edge('in1', 'in3'), edge('in2', 'b3'), edge('in3', 'b3'), skip, edges[3]!, edges[4]!], 4, (name) => (inside.includes(name) ? ['block'] : [])).places;
    for (const name of ['b0', 'b1']) expect(opened.get(name)).toEqual(before.get(name));
  });

  test('a wire within a line starts at its source and ends at its target', () => {
    const { boxes, edges } = chain(2);
    const { places, wires } = score(boxes, edges, 4);
    const [a, b] = [places.get('b0')!, places.get('b1')!];
    const at = numbers(wires[0]!.path);
    expect(at.slice(0, 2)).toEqual([Math.round((a.x + a.width + a.deep / 2) * 100) / 100, a.middle]);
    expect(at.slice(-2)).toEqual([Math.round(b.x * 100) / 100, b.middle]);
  });

  test('a wire over the end of a line goes round outside of all boxes and comes in from the left', () => {
    const { boxes, edges } = chain(5);
    const { places, wires, width } = score(boxes, edges, 4);
    const over = wires.find((wire) => wire.source === 'b3')!;
    const xs = numbers(over.path).filter((_, i) => i % 2 === 0);
    const last = places.get('b3')!;
    expect(Math.max(...xs)).toBeGreaterThan(last.x + last.width + last.deep);
    expect(Math.max(...xs)).toBeLessThanOrEqual(width);
    expect(Math.min(...xs)).toBeLessThan(places.get('b4')!.x);
    expect(Math.min(...xs)).toBeGreaterThanOrEqual(0);
    expect(over.end[1]).toBe(places.get('b4')!.middle);
  });

  test('a skip runs below the boxes, those of one source along one line', () => {
    const { boxes, edges } = chain(5);
    const { places, wires } = score(boxes, [...edges, edge('b0', 'b2', 'channel', 0), edge('b0', 'b4', 'channel', 1)], 8);
    const skips = wires.filter((wire) => wire.skip);
    const lows = skips.map((wire) => Math.max(...numbers(wire.path).filter((_, i) => i % 2 === 1)));
    expect(lows[0]).toBe(lows[1]);
    expect(lows[0]).toBeGreaterThan(Math.max(...[...places.values()].map((p) => p.words)));
  });

  test('lanes lie below each other and lines are only as high as their own lanes', () => {
    const boxes = [box('a', 0), box('b', 1), box('c', 1, 1), box('d', 1, 2), box('e', 2), box('f', 3)];
    const edges = [edge('a', 'b'), edge('a', 'c'), edge('a', 'd'), edge('b', 'e'), edge('c', 'e'), edge('d', 'e'), edge('e', 'f')];
    const wide = score(boxes, edges, 3);
    expect(wide.places.get('c')!.middle - wide.places.get('b')!.middle).toBe(wide.places.get('d')!.middle - wide.places.get('c')!.middle);
    const flat = score(boxes.filter((one) => one.lane === 0), edges.filter((one) => !'cd'.includes(one.source + one.target)), 3);
    expect(wide.height - flat.height).toBe(2 * (wide.places.get('c')!.middle - wide.places.get('b')!.middle));
  });

  test('an opened block has a bar below each of its lines', () => {
    const { boxes, edges } = chain(6);
    const { brackets } = score(boxes, edges, 4, (name) => (['b3', 'b4'].includes(name) ? ['block'] : []));
    expect(brackets.map(({ block, begins, ends }) => [block, begins, ends])).toEqual([['block', true, false], ['block', false, true]]);
  });

  test('bars lie below the lowest lane of their blocks and never on each other', () => {
    const boxes = [box('a', 0), box('b', 1), box('c', 1, 1), box('d', 2)];
    const edges = [edge('a', 'b'), edge('a', 'c'), edge('b', 'd'), edge('c', 'd')];
    const inside: Record<string, string[]> = { b: ['mixed', 'mixed.one'], c: ['mixed', 'mixed.two'], d: ['mixed'] };
    const { brackets, places, height } = score(boxes, edges, 4, (name) => inside[name] ?? []);
    const at = Object.fromEntries(brackets.map((bar) => [bar.label, bar]));
    expect(Object.keys(at).sort()).toEqual(['mixed', 'one', 'two']);
    expect(at.one!.y).toBeGreaterThan(places.get('b')!.words);
    expect(at.one!.y).toBeLessThan(places.get('c')!.y);
    expect(at.two!.y).toBeGreaterThan(places.get('c')!.words);
    expect([at.mixed!.y - at.two!.y, height > at.mixed!.y]).toEqual([20, true]);
  });

  test('nothing, one box, and 400 of them', () => {
    expect(score([], [], 4).places.size).toBe(0);
    expect(score([box('only', 0)], [], 4).places.size).toBe(2);
    const { boxes, edges } = chain(400);
    expect(score(boxes, edges, 6).places.size).toBe(401);
  });

  test('a wide window takes more boxes in a line, a narrow one three', () => {
    expect(columnsFor(200)).toBe(3);
    expect(columnsFor(1600)).toBeGreaterThan(columnsFor(800));
    const { boxes, edges } = chain(400);
    const long = score(boxes, edges, 5);
    const wide = score(boxes, edges, columnsToFit(400, (long.height * 5) / 400, { width: 800, height: 600 }));
    expect(wide.width / wide.height).toBeGreaterThan(0.7);
    expect(wide.width / wide.height).toBeLessThan(2.5);
  });
});

describe('path', () => {
  test('corners are rounded, points in a line fall away', () => {
    expect(rounded([[0, 0], [5, 0], [10, 0], [10, 20]], 4)).toBe('M0 0L6 0Q10 0 10 4L10 20');
    expect(rounded([[0, 0], [0, 0], [8, 0]])).toBe('M0 0L8 0');
    expect(rounded([])).toBe('');
  });
});
