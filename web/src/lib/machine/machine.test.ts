import { describe, expect, test } from 'vitest';
import type { Layer, Sight } from '../api.gen';
import { rowsOf } from './classes';
import { faceOf } from './face';
import { endOf } from './measure';
import { evenly, folded, folds } from './plate';
import { score } from './score';
import { seen, windowOf } from './sight';
import { strongest } from './strongest';
import { inSight, moved, placeOf, spotAt, tilesFor, totalHeight } from './tiles';
import { around, firstOpened, linesOf, treeOf } from './tree';
import { home, inView, into, neighbour, whole } from './view';

const axis = (lows: number[], highs: number[], step: number) => ({ lows, highs, step });
const sight = (rows: Sight['rows'], whole = false): Sight => ({ rows, columns: rows, size: [5, 5], stride: [2, 2], offset: [0, 0], whole, gated: false });

describe('receptive rectangle', () => {
  // A 5x5 window with stride 2 and padding 2 on 8 pixels, by hand: cell 0 sees -2 to 2, cell 3 sees 4 to 8.
  const conv = axis([-2], [2], 2);
  test('windows repeat by their step', () => {
    expect(windowOf(conv, 0)).toEqual([-2, 2]);
    expect(windowOf(conv, 3)).toEqual([4, 8]);
  });
  test('a pattern of several cells, as upsampling makes', () => {
    const up = axis([0, 0], [2, 3], 4);
    expect([0, 1, 2, 3].map((cell) => windowOf(up, cell))).toEqual([[0, 2], [0, 3], [4, 6], [4, 7]]);
  });
  test('clipped to the picture', () => {
    expect(seen(sight(conv), 0, 3, [8, 8])).toEqual({ top: 0, left: 4, height: 3, width: 4 });
    expect(seen(sight(conv), 9, 9, [8, 8])).toBeNull();
    expect(seen(null, 0, 0, [8, 8])).toBeNull();
    expect(seen(sight(conv, true), 1, 1, [8, 6])).toEqual({ top: 0, left: 0, height: 8, width: 6 });
  });
});

describe('grid of maps', () => {
  const tiles = tilesFor(2048, 7, 7, 400, 72);
  test('a line fills the room', () => {
    expect(tiles.columns).toBe(5);
    expect(tiles.columns * (tiles.width + tiles.gap) - tiles.gap).toBeLessThanOrEqual(400);
    expect(tiles.rows).toBe(410);
  });
  test('only lines in sight are asked for', () => {
    const [first, last] = inSight(tiles, 0, 300);
    expect(first).toBe(0);
    expect(last).toBeLessThan(40);
    const [late, end] = inSight(tiles, totalHeight(tiles) - 300, totalHeight(tiles));
    expect(end).toBe(2048);
    expect(late).toBeGreaterThan(2000);
  });
  test('a cell under the pointer', () => {
    const [x, y] = placeOf(tiles, 12);
    expect(spotAt(tiles, x + 1, y + 1, 7, 7)).toEqual({ index: 12, row: 0, column: 0 });
    expect(spotAt(tiles, x + tiles.width - 1, y + tiles.height - 1, 7, 7)).toEqual({ index: 12, row: 6, column: 6 });
    expect(spotAt(tiles, x + tiles.width + 1, y, 7, 7)).toBeNull();
    expect(spotAt(tilesFor(3, 7, 7, 400, 72), 390, 10, 7, 7)).toBeNull();
  });
  test('keys', () => {
    expect(moved(tiles, 0, 'ArrowDown')).toBe(5);
    expect(moved(tiles, 0, 'ArrowLeft')).toBe(0);
    expect(moved(tiles, 3, 'End')).toBe(2047);
    expect(moved(tiles, 3, 'a')).toBeNull();
  });
});

describe('view', () => {
  const boxes = Array.from({ length: 40 }, (_, rank) => ({ name: `b${rank}`, rank, lane: 0, shape: [4, 8, 8], kind: 'Conv2d' }));
  const edges = boxes.slice(1).map((one, i) => ({ source: `b${i}`, target: one.name, way: 'near' as const, channel: 0 }));
  const sheet = score(boxes, edges, 5);
  const window = { width: 700, height: 400 };
  test('only boxes in the window are watched', () => {
    const first = inView(sheet.places.values(), home(sheet, window), window, 0);
    expect(first).toContain('b0');
    expect(first.length).toBeLessThan(20);
    expect(inView(sheet.places.values(), whole(sheet, window), window)).toHaveLength(41);
  });
  test('a box below comes into sight', () => {
    const shift = home(sheet, window);
    const [across, down] = into(sheet.places.get('b30')!, shift, window);
    expect(across).toBe(0);
    expect(down).toBeLessThan(0);
    expect(inView(sheet.places.values(), { ...shift, y: shift.y + down }, window, 0)).toContain('b30');
    expect(into(sheet.places.get('b1')!, shift, window)).toEqual([0, 0]);
  });
  test('arrow keys follow the wires and the lines', () => {
    const at = sheet.places.get('b6')!;
    expect(neighbour(at, 'ArrowRight', sheet.places, ['b7'], ['b5'])).toBe('b7');
    expect(neighbour(at, 'ArrowLeft', sheet.places, ['b7'], ['b5'])).toBe('b5');
    expect(neighbour(at, 'ArrowDown', sheet.places, [], [])).toBe('b11');
    expect(neighbour(at, 'ArrowUp', sheet.places, [], [])).toBe('b1');
  });
});

describe('outline', () => {
  const layer = (name: string, group: string): Layer => ({ name, group, kind: 'Conv2d', family: 'conv', shape: [1], input_shapes: [], inputs: [], parameters: 0, multiply_adds: 0, field: null, block: group });
  const tree = treeOf([layer('conv1', ''), layer('layer1.0.conv1', 'layer1.0'), layer('layer1.0.bn1', 'layer1.0'), layer('layer1.1.conv1', 'layer1.1'), layer('layer1.1.bn1', 'layer1.1'), layer('head.fc', 'head')]);
  test('blocks nest, one of a single step is that step', () => {
    expect(tree.map((twig) => twig.path)).toEqual(['conv1', 'layer1', 'head.fc']);
    expect(tree[1]!.children.map((twig) => twig.label)).toEqual(['0', '1']);
  });
  test('opened lines and a search', () => {
    expect(linesOf(tree, new Set()).length).toBe(3);
    expect([3, 5, 9].map((most) => linesOf(tree, firstOpened(tree, most)).length)).toEqual([3, 5, 9]);
    expect(linesOf(tree, new Set(['layer1', 'layer1.1'])).map((twig) => twig.path)).toEqual(['conv1', 'layer1', 'layer1.0', 'layer1.1', 'layer1.1.conv1', 'layer1.1.bn1', 'head.fc']);
    expect(linesOf(tree, new Set(), 'bn1').map((twig) => twig.path)).toEqual(['layer1.0.bn1', 'layer1.1.bn1']);
    expect(around('a.b.c')).toEqual(['a', 'a.b', 'a.b.c']);
  });
});

describe('faces', () => {
  test('maps shrink and deepen, numbers are a narrow bar', () => {
    const [early, late] = [faceOf([64, 112, 112]), faceOf([512, 7, 7])];
    expect(early.width).toBeGreaterThan(late.width);
    expect(early.deep).toBeLessThan(late.deep);
    expect(faceOf([1000]).width).toBeLessThan(30);
    expect(faceOf([512, 1, 1])).toEqual(faceOf([512]));
    expect(faceOf([])).toMatchObject({ across: 1, down: 1 });
  });
  test('maps keep their shape on the face', () => {
    const place = evenly(100, 100, 2, 2, { height: 10, width: 20 });
    expect(place(0).width).toBe(2 * place(0).height);
    expect(place(3).x).toBeGreaterThan(50);
  });
});

const frame = (width: number, height: number, bytes: number[]) => ({
  key: '', seq: 0, layer: '', view: 'after' as const, shape: [width], height, width, channels: [0], lo: [-1], hi: [1], fullLo: -1, fullHi: 1,
  silent: [], missing: false, changed: false, planes: Uint8Array.from(bytes),
});

test('a row of numbers folds into lines', () => {
  expect(folds(1000, 24, 96)).toBe(16);
  const made = folded(frame(5, 1, [1, 2, 3, 4, 5]), 3);
  expect([made.width, made.height, [...made.planes]]).toEqual([3, 2, [1, 2, 3, 4, 5, 0]]);
});

test('the strongest cell is the one farthest from zero', () => {
  expect(strongest(frame(2, 2, [120, 130, 0, 200]), 0)).toEqual([1, 0]);
});

test('a name too long keeps its end', () => {
  expect(endOf('expanded_conv_depthwise_BN', 10, (words) => words.length)).toBe('…thwise_BN');
  expect(endOf('conv1', 10, (words) => words.length)).toBe('conv1');
});

test('classes of one name are told apart; a change is shown where the classes are the same', () => {
  const answer = { p: Float32Array.of(0.5, 0.25, 0.25), before: Float32Array.of(0.25, 0.5, NaN) };
  expect(rowsOf(answer, ['crane', 'crane', 'cat'], true)).toEqual([['crane (0)', 0.5, 0.25], ['crane (1)', 0.25, 0.5], ['cat', 0.25]]);
  expect(rowsOf(answer, ['a', 'b', 'c'], false)[0]).toEqual(['a', 0.5]);
});
