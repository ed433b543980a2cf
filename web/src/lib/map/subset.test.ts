import { describe, expect, it } from 'vitest';
import type { Laid } from './laid';
import { choiceName, choiceOf, choiceText, chosen, csv, tally } from './subset';

const laid = {
  id: 'id', count: 4, nearby: 0, near: new Int32Array(0),
  head: { names: ['cats/a.jpg', 'dogs/"b", c.jpg', 'x.jpg', 'y.jpg'], classes: ['cats', 'dogs'], answers: ['cats', 'dogs'] },
  x: Float32Array.of(0.1, 0.2, 0.8, 0.9), y: Float32Array.of(0.1, 0.2, 0.8, 0.9),
  label: Int32Array.of(0, 1, 1, -1), predicted: Int32Array.of(0, 0, 1, 1), probability: Float32Array.of(0.5, 0.75, 1, 0.25),
  wrong: Uint8Array.of(0, 1, 0, 1), agree: Float32Array.of(1, 0.25, 1, NaN), among: Int32Array.of(0, 0, 1, -1),
} as unknown as Laid;

describe('a choice', () => {
  it('is the same after it was in an address', () => {
    for (const text of ['wrong', 'strangers', 'label:3', 'predicted:0', 'lasso:0,0,500,0,500,500']) {
      expect(choiceText(choiceOf(text)!)).toBe(text);
    }
    for (const text of [null, '', 'label:', 'label:-1', 'lasso:1,2', 'nothing']) expect(choiceOf(text)).toBeNull();
  });
  it('means photos', () => {
    expect(chosen(laid, choiceOf('lasso:0,0,500,0,500,500,0,500')!)).toEqual([0, 1]);
    expect(chosen(laid, { kind: 'label', number: 1 })).toEqual([1, 2]);
    expect(chosen(laid, { kind: 'predicted', number: 1 })).toEqual([2, 3]);
    expect(chosen(laid, { kind: 'wrong' })).toEqual([1]); // nobody has said what the last one is
    expect(chosen(laid, { kind: 'strangers' })).toEqual([1]);
  });
  it('has a name', () => {
    expect(choiceName(laid, { kind: 'label', number: 1 })).toBe('Class dogs');
    expect(choiceName(laid, { kind: 'wrong' })).toBe('Answered wrongly');
  });
});

it('counts classes, the commonest first', () => {
  expect(tally([2, 1, 2, -1, 1, 2])).toEqual([[2, 3], [1, 2], [-1, 1]]);
});

it('writes a table that keeps commas and quotes of names', () => {
  const lines = csv(laid, [1, 3]).split('\r\n');
  expect(lines[0]).toBe('name,class,prediction,probability,error,neighbours of its class,x,y');
  expect(lines[1]).toBe('"dogs/""b"", c.jpg",dogs,cats,0.7500,yes,0.25,0.20000,0.20000');
  expect(lines[2]).toBe('y.jpg,,dogs,0.2500,,,0.90000,0.90000');
  expect(lines).toHaveLength(4);
});
