import { expect, it } from 'vitest';
import { factor, short, small, sumInWords, tidy, typed } from './numbers';

it.each([[0.42468, '0.42'], [-1, '−1'], [0, '0'], [-0, '0'], [0.0004, '0.0004'], [123.456, '123'], [12345678, '1.2 × 10⁷']] as const)('short(%d) is %s', (value, text) => {
  expect(short(value)).toBe(text);
});

it.each([[0.25, '0.25'], [0.19661, '0.1966'], [-0.00001, '0'], [3, '3']] as const)('tidy(%d) has no zeros at its end: %s', (value, text) => {
  expect(tidy(value, 4)).toBe(text);
});

it.each([[0.0431, '0.0431'], [0.0000055, '5.5 × 10⁻⁶'], [3481200, '3.5 × 10⁶'], [-2e-12, '−2.0 × 10⁻¹²'], [0, '0']] as const)('small(%d) is %s', (value, text) => {
  expect(small(value)).toBe(text);
});

it('puts what is below zero in brackets after a sign', () => {
  expect(factor(-1)).toBe('(−1)');
  expect(factor(2)).toBe('2');
});

it.each([['1', 1], [' −0,5 ', -0.5], ['-', null], ['', null], ['1e', null], ['Infinity', null]] as const)('typed(%j) is %s', (text, value) => {
  expect(typed(text)).toBe(value);
});

it('writes a sum out, and shortens a long one in its middle', () => {
  expect(sumInWords([1, 0], [1, -1], 1)).toBe('1 × 1 + 0 × (−1) = 1');
  expect(sumInWords([1, 2, 3, 4, 5, 6, 7], [1, 1, 1, 1, 1, 1, 1], 28)).toBe('1 × 1 + 2 × 1 + 3 × 1 + 4 × 1 + 5 × 1 + … + 7 × 1 = 28');
});
