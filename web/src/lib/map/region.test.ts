import { describe, expect, it } from 'vitest';
import { inside, outlineOf, outlineText, rectangle, simpler } from './region';

describe('inside', () => {
  const c = [0, 0, 4, 0, 4, 1, 1, 1, 1, 3, 4, 3, 4, 4, 0, 4]; // the letter C
  it('follows bays of the outline', () => {
    expect(inside(c, 0.5, 2)).toBe(true);
    expect(inside(c, 3, 0.5)).toBe(true);
    expect(inside(c, 3, 2)).toBe(false);
    expect(inside(c, 5, 0.5)).toBe(false);
  });
  it('counts a corner at the same height once', () => {
    const diamond = [0, 1, 1, 0, 2, 1, 1, 2];
    expect(inside(diamond, 1, 1)).toBe(true);
    expect(inside(diamond, -1, 1)).toBe(false);
    expect(inside(diamond, 0.1, 0.2)).toBe(false);
  });
  it('does not mind which way round the outline goes', () => {
    const box = rectangle(0.2, 0.2, 0.6, 0.5);
    const back = rectangle(0.6, 0.5, 0.2, 0.2);
    for (const [x, y] of [[0.3, 0.3], [0.1, 0.3], [0.59, 0.49], [0.61, 0.3]] as const) {
      expect(inside(box, x, y)).toBe(inside(back, x, y));
    }
  });
  it('agrees with the circle that a lasso of many corners is', () => {
    const circle = Array.from({ length: 400 }, (_, i) => (i * Math.PI) / 200).flatMap((a) => [0.5 + 0.3 * Math.cos(a), 0.5 + 0.3 * Math.sin(a)]);
    const few = simpler(circle, 60);
    expect(few).toHaveLength(120);
    for (let k = 0; k < 500; k++) {
      const x = (k * 0.618) % 1, y = (k * 0.383) % 1;
      const far = Math.hypot(x - 0.5, y - 0.5);
      if (Math.abs(far - 0.3) > 0.005) expect(inside(few, x, y)).toBe(far < 0.3);
    }
  });
});

describe('an outline in an address', () => {
  it('comes back within a thousandth', () => {
    const box = rectangle(0.1234, 0.2, 0.6, 0.98765);
    const again = outlineOf(outlineText(box))!;
    again.forEach((v, i) => expect(Math.abs(v - box[i]!)).toBeLessThanOrEqual(0.0005001));
  });
  it('is refused where it is none', () => {
    for (const text of ['', '1,2,3', '1,2,3,4', '1,2,3,4,5,x', '1,2,3,4,5,']) {
      expect(outlineOf(text)).toBeNull();
    }
  });
});
