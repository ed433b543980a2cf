import { expect, it } from 'vitest';
import { moved } from './place';

it('stays on the map, also where the map has become smaller', () => {
  expect(moved([3, 3], 1, -1, [10, 10])).toEqual([4, 2]);
  expect(moved([0, 9], -1, 1, [10, 10])).toEqual([0, 9]);
  expect(moved([50, 50], -1, 0, [10, 10])).toEqual([8, 9]);
  expect(moved([50, 50], 1, 1)).toEqual([51, 51]);
});
