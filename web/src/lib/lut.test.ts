import { expect, it } from 'vitest';
import { colour, css, LEVELS, pixel, ramp, rangeOf } from './lut';

// What cutaway.draw.colours.painted gives for the same values and ranges.
it.each([
  [{ high: 2, signed: false }, [0, 0.5, 1, 2, 3, -1], 'fbfaf7 f7bd68 db701d 4a1a15 4a1a15 fbfaf7'],
  [{ high: 2, signed: true }, [-2, -1, 0, 0.01, 1, 2, 5, NaN], '12275a 3397dc fbfaf7 faf9f3 dc711d 4a1a15 4a1a15 8c8c8c'],
  [{ high: 0, signed: false }, [0, 1], 'fbfaf7 fbfaf7'],
  [{ high: 0, signed: true }, [0], 'fbfaf7'],
])('%j paints as the drawings do', (range, values, said) => {
  expect(values.map((value) => css(colour(value, range)).slice(1)).join(' ')).toBe(said);
});

it('paints a channel by its own place in a wider range', () => {
  const range = rangeOf(-1, 4);
  expect(range).toEqual({ high: 4, signed: true });
  const made = ramp(-1, 3, range);
  expect(made[0]).toBe(pixel(colour(-1, range)));
  expect(made[LEVELS]).toBe(pixel(colour(3, range)));
  expect([...new Uint8ClampedArray(made.buffer).slice(255 * 4)]).toEqual([140, 140, 140, 255]);
});
