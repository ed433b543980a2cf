import { expect, it } from 'vitest';
import { worstCell } from './cells';

it('the worst cell is wrong, the fullest, and the first of equals', () => {
  expect(worstCell([[90, 1, 3], [3, 80, 2], [0, 0, 70]])).toBe('0,2');
  expect(worstCell([[9, 0], [0, 9]])).toBeNull();
});
