import { describe, expect, it } from 'vitest';
import { behind, cellAt, mapSize, onMap, onward, stepped } from './cells';

describe('stepped', () => {
  const grid = [3, 4, 5];
  it('moves the cell over its map and through the channels', () => {
    expect(stepped([1, 2, 3], grid, 'ArrowUp')).toEqual([1, 1, 3]);
    expect(stepped([1, 2, 3], grid, 'ArrowDown')).toEqual([1, 3, 3]);
    expect(stepped([1, 2, 3], grid, 'ArrowRight')).toEqual([1, 2, 4]);
    expect(stepped([1, 2, 3], grid, 'PageDown')).toEqual([2, 2, 3]);
    expect(stepped([1, 2, 3], grid, '[')).toEqual([0, 2, 3]);
  });
  it('stays inside', () => {
    expect(stepped([0, 0, 0], grid, 'ArrowUp')).toBeNull();
    expect(stepped([2, 3, 4], grid, 'ArrowRight')).toBeNull();
    expect(stepped([2, 3, 4], grid, ']')).toBeNull();
  });
  it('knows tables and rows of numbers', () => {
    expect(stepped([1, 2], [3, 4], 'ArrowDown')).toEqual([2, 2]);
    expect(stepped([1, 2], [3, 4], 'PageDown')).toBeNull();
    expect(stepped([5], [9], 'ArrowDown')).toEqual([6]);
    expect(stepped([5], [9], 'PageUp')).toEqual([4]);
  });
  it('leaves other keys alone', () => expect(stepped([0, 0, 0], grid, 'a')).toBeNull());
});

describe('maps', () => {
  it('have rows and columns, a row of numbers one row', () => {
    expect(mapSize([3, 4, 5])).toEqual([4, 5]);
    expect(mapSize([4, 5])).toEqual([4, 5]);
    expect(mapSize([7])).toEqual([1, 7]);
    expect(onMap([2, 1, 3])).toEqual([1, 3]);
    expect(onMap([6])).toEqual([0, 6]);
    expect(cellAt([2, 1, 3], 0, 4)).toEqual([2, 0, 4]);
    expect(cellAt([1, 3], 0, 4)).toEqual([0, 4]);
    expect(cellAt([6], 0, 4)).toEqual([4]);
  });
  it('are crossed in reading order, to their very end', () => {
    expect(onward([2, 0, 4], [3, 4, 5], 1)).toEqual([2, 1, 0]);
    expect(onward([2, 3, 2], [3, 4, 5], 7)).toEqual([2, 3, 4]);
    expect(onward([2, 3, 4], [3, 4, 5], 1)).toBeNull();
    let cell: number[] | null = [0, 0];
    const seen = [];
    while (cell) { seen.push(cell.join()); cell = onward(cell, [2, 3], 1); }
    expect(seen).toEqual(['0,0', '0,1', '0,2', '1,0', '1,1', '1,2']);
  });
});

describe('behind', () => {
  const nine = [[0, 0, 0], [0, 0, 0], [0, 0, 0]];
  it('finds the cell of the earlier step, none in the padding', () => {
    const patch = { axes: [[4], [-1, 0, 1], [7, 8, 9]], last: false, values: nine };
    expect(behind(patch, 1, 2)).toEqual([4, 0, 9]);
    expect(behind(patch, 0, 2)).toBeNull();
  });
  it('turns what has its channels last', () => {
    expect(behind({ axes: [[5], [6], [0, 1, 2]], last: true, values: [[0, 0, 0]] }, 0, 2)).toEqual([2, 5, 6]);
  });
  it('takes signals and rows', () => {
    expect(behind({ axes: [[3], [4, 5]], last: false, values: [[0, 0]] }, 0, 1)).toEqual([3, 5]);
    expect(behind({ axes: [[8, 9]], last: false, values: [[0, 0]] }, 0, 1)).toEqual([9]);
  });
});
