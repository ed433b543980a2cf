import { expect, it } from 'vitest';
import { shown, type Row } from './probabilities';

const rows: Row[] = [['tabby cat', 0.1, 0.2], ['dog', 0.7], ['Tiger cat', 0.2]];

it('shows the likeliest first, and those that are searched for', () => {
  expect(shown(rows, 2).map(([name]) => name)).toEqual(['dog', 'Tiger cat']);
  expect(shown(rows, 8, ' CAT ').map(([name]) => name)).toEqual(['Tiger cat', 'tabby cat']);
  expect(rows[0]?.[0]).toBe('tabby cat');
});
