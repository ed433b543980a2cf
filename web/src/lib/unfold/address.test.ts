import { describe, expect, it } from 'vitest';
import { followed, shownSpot, spotOf, textOf, trailOf, writtenTrail } from './address';

const conv = { layer: 'layer1.0.conv1', cell: [3, 10, 12] };
const relu = { layer: 'relu', cell: [3, 20, 24] };

describe('spots', () => {
  it('are read and written', () => {
    expect(spotOf('layer1.0.conv1[3,10,12]')).toEqual(conv);
    expect(spotOf(' fc [ 7 ] ')).toEqual({ layer: 'fc', cell: [7] });
    expect(textOf(conv)).toBe('layer1.0.conv1[3,10,12]');
    expect(shownSpot(conv)).toBe('layer1.0.conv1[3, 10, 12]');
    for (const wrong of [null, '', 'fc', 'fc[]', 'fc[a]', 'fc[1.5]', '[1]', 'fc[-1]']) expect(spotOf(wrong)).toBeNull();
  });
});

describe('the trail', () => {
  it('grows, is gone back on, and forgets what lies too far back', () => {
    const two = followed([conv], relu);
    expect(two).toEqual([conv, relu]);
    expect(followed(two, { layer: conv.layer, cell: [0, 0, 0] })).toEqual([{ layer: conv.layer, cell: [0, 0, 0] }]);
    const long = Array.from({ length: 40 }, (_, n) => ({ layer: `a${n}`, cell: [n] })).reduce(followed, [] as ReturnType<typeof followed>);
    expect(long.length).toBe(12);
    expect(long.at(-1)?.layer).toBe('a39');
  });
  it('comes back out of the address, and only where it leads here', () => {
    const text = writtenTrail([conv, relu]);
    expect(text).toBe('layer1.0.conv1[3,10,12];relu[3,20,24]');
    expect(trailOf(text, { layer: 'relu', cell: [3, 20, 25] })).toEqual([conv, { layer: 'relu', cell: [3, 20, 25] }]);
    expect(trailOf(text, { layer: 'fc', cell: [1] })).toEqual([{ layer: 'fc', cell: [1] }]);
    expect(trailOf(null, relu)).toEqual([relu]);
    expect(writtenTrail([relu])).toBeNull();
  });
});
