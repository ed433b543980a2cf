import { describe, expect, it } from 'vitest';
import { sorted } from './dropped';

const file = (name: string, type = '') => new File(['x'], name, { type });
const names = (files: File[]) => files.map((one) => one.name);

describe('what was dropped', () => {
  it('is a model, a picture, or both', () => {
    const both = sorted([file('keras_model.h5'), file('labels.txt'), file('cat.JPG')]);
    expect(names(both.model)).toEqual(['keras_model.h5', 'labels.txt']);
    expect(both.picture?.name).toBe('cat.JPG');
    expect(both.sentence).toBe('');
    expect(sorted([file('photo', 'image/heic')]).picture?.name).toBe('photo');
  });

  it('leaves hidden files out', () => {
    expect(names(sorted([file('.DS_Store'), file('net.onnx')]).model)).toEqual(['net.onnx']);
    expect(sorted([file('.DS_Store')]).sentence).toContain('Nothing was dropped');
  });

  it('takes one of several pictures and says so', () => {
    const many = sorted([file('a.png'), file('b.png')]);
    expect(many.picture?.name).toBe('a.png');
    expect(many.sentence).toContain('2 pictures; one is looked at at a time, and a.png was taken');
    expect(many.sentence).toContain('--data');
  });

  it('tells what a TensorFlow.js model lacks', () => {
    expect(sorted([file('model.json')]).sentence).toContain('drop all of them together');
    expect(sorted([file('weights.bin')]).sentence).toContain('drop model.json');
    expect(sorted([file('model.json'), file('weights.bin'), file('metadata.json')]).sentence).toBe('');
  });
});
