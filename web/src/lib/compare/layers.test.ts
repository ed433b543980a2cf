import { describe, expect, it } from 'vitest';
import type { ComparedLayer, Comparison } from '../api.gen';
import { differing, length, named, parting, summary } from './layers';

const layer = (some: Partial<ComparedLayer>): ComparedLayer => ({
  a: 'conv1', b: 'conv1', kind: 'Conv2d', shape: [8, 4, 4], status: 'equal', settings: {}, weights: null, activation: null, ...some,
});
const side = { name: 'a', layers: 1, parameters: 1, multiply_adds: 1, classes: [], input: '', top: [] };
const found = (some: Partial<Comparison>): Comparison => ({
  a: side, b: side, equal: 0, rounding: 0, weights: 0, settings: 0, only_a: 0, only_b: 0, contract: {}, notes: [],
  layers: [], parts_at: '', parted: 1e-3, difference: null, ...some,
});

describe('a comparison in words', () => {
  it('says how much differs', () => {
    expect(summary(found({ layers: [layer({})], equal: 1 }))).toContain('All 1 layers are equal');
    const some = found({ layers: [layer({}), layer({}), layer({})], equal: 1, weights: 1, only_b: 1 });
    expect(summary(some)).toBe('1 of 3 layers are equal, 1 differs in weights only, 1 is only in the second.');
  });

  it('says where they part, with a picture only', () => {
    expect(parting(found({}))).toBe('');
    const top = { ...side, top: [{ name: 'cat', p: 1 }] };
    expect(parting(found({ a: top, layers: [layer({ activation: 0 })] }))).toContain('never part');
    expect(parting(found({ a: top, layers: [layer({ activation: 1 })], parts_at: 'conv1' }))).toContain('part at conv1');
    expect(parting(found({ a: top, layers: [layer({})] }))).toContain('No layer');
  });

  it('names layers and what differs', () => {
    expect(named({ a: 'conv', b: 'Conv1' })).toBe('conv | Conv1');
    expect(named({ a: '', b: 'Conv1' })).toBe('Conv1');
    expect(differing(layer({ settings: { stride: [[2, 2], 1] } }))).toBe('stride 2 × 2 | 1');
    const weights = { largest: 1, relative: 1, correlation: 0, shapes: { bias: [[8], []] as [number[], number[]] } };
    expect(differing(layer({ status: 'weights', weights }))).toBe('bias only in the first; weights');
    expect(differing(layer({ status: 'only a' }))).toBe('only in the first');
  });

  it('draws a tenfold difference a fifth longer', () => {
    expect(length(null)).toBe(0);
    expect(length(1)).toBe(1);
    expect(length(0.1)).toBeCloseTo(0.8);
    expect(length(1e-9)).toBe(0.02);
    expect(length(7)).toBe(1);
  });
});
