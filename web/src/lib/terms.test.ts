import { describe, expect, it } from 'vitest';
import { found } from './learn/glossary';
import { sentenceOf, terms } from './terms';

describe('terms', () => {
  it.each(Object.entries(terms))('%s is told in one sentence of at most 200 characters', (name, sentence) => {
    expect(sentence.length).toBeLessThanOrEqual(200);
    expect(sentence).toMatch(/^\p{Lu}.*[^.]\.$/su);
    expect(sentence.slice(0, -1)).not.toMatch(/[.!?]\s+\p{Lu}/u); // one sentence, not two
    expect(name).not.toBe('');
  });

  it('are enough to read the studio by', () => {
    expect(Object.keys(terms).length).toBeGreaterThanOrEqual(60);
  });
});

describe('sentenceOf', () => {
  it('knows words, and layers by their kind', () => {
    expect(sentenceOf('stride')).toBe(terms.stride);
    expect(sentenceOf('Conv2d')).toBe(terms.convolution);
    expect(sentenceOf('cat')).toBe(terms.concatenation);
    expect(sentenceOf('Unheard')).toBeUndefined();
  });
});

describe('found', () => {
  it('gives all of them in alphabetical order, whatever their case', () => {
    const names = found('').map(([name]) => name);
    expect(names).toHaveLength(Object.keys(terms).length);
    expect(names.indexOf('batch')).toBeLessThan(names.indexOf('ReLU'));
    expect(names.indexOf('ReLU')).toBeLessThan(names.indexOf('residual connection'));
  });

  it('puts words that begin with the search first, then those that hold it, then sentences that speak of it', () => {
    const names = found(' Pool').map(([name]) => name);
    expect(names[0]).toBe('pooling');
    expect(names).toContain('max pooling');
    expect(names.indexOf('max pooling')).toBeLessThan(names.length);
    expect(found('kernel').map(([name]) => name)).toContain('padding');
  });

  it('finds nothing where there is nothing', () => {
    expect(found('zebra')).toEqual([]);
  });
});
