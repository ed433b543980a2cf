import { expect, it, vi } from 'vitest';
import { BUDGET_MS, inTurn } from './turns';

it('much drawing is spread over frames, in order, and can be taken back', () => {
  const frames: FrameRequestCallback[] = [];
  let now = 0;
  vi.stubGlobal('requestAnimationFrame', (callback: FrameRequestCallback) => frames.push(callback));
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const drawn: number[] = [];
  const back = Array.from({ length: 6 }, (_, n) => inTurn(() => { drawn.push(n); now += BUDGET_MS / 2; }));
  expect(drawn).toEqual([]);
  frames.shift()!(0);
  expect(drawn).toEqual([0, 1]);
  back[2]!();
  frames.shift()!(0);
  frames.shift()!(0);
  expect(drawn).toEqual([0, 1, 3, 4, 5]);
  expect(frames).toEqual([]); // nothing left, no frame asked for
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});
