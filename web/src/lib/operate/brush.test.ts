import { expect, it } from 'vitest';
import { dab, type Raster, rgb, stroke } from './brush';
import { amountOf, changed } from './changes';

function raster(width: number, height: number, paint: (x: number, y: number) => number[]): Raster {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < width * height; i++) data.set([...paint(i % width, Math.floor(i / width)), 255], 4 * i);
  return { data, width, height };
}

const at = ({ data, width }: Raster, x: number, y: number) => [...data.slice(4 * (y * width + x), 4 * (y * width + x) + 3)];
const flat = () => raster(5, 5, () => [10, 20, 30]);

it('paints a disc and nothing else', () => {
  const target = flat();
  dab(target, flat(), [2, 2], 1, 'colour', [255, 0, 0]);
  const painted = [...Array(25).keys()].filter((i) => at(target, i % 5, Math.floor(i / 5))[0] === 255);
  expect(painted).toEqual([7, 11, 12, 13, 17]);
});

it('paints beyond the edge without harm', () => {
  const target = flat();
  dab(target, flat(), [-1, 0], 1, 'colour', [255, 0, 0]);
  expect(at(target, 0, 0)).toEqual([255, 0, 0]);
  expect(at(target, 1, 0)).toEqual([10, 20, 30]);
});

it('makes grey by the weights of the eye, and blurs to the mean of what was there', () => {
  const source = raster(3, 3, (x) => (x === 1 ? [90, 0, 0] : [0, 0, 0]));
  const target = raster(3, 3, (x) => (x === 1 ? [90, 0, 0] : [0, 0, 0]));
  dab(target, source, [1, 1], 0.4, 'grey', [0, 0, 0]);
  expect(at(target, 1, 1)).toEqual([27, 27, 27]);
  dab(target, source, [1, 1], 0.4, 'blur', [0, 0, 0]);
  expect(at(target, 1, 1)).toEqual([30, 0, 0]);
});

it('leaves no gaps in a fast stroke', () => {
  const target = raster(50, 3, () => [0, 0, 0]);
  stroke(target, raster(50, 3, () => [0, 0, 0]), [0, 1], [49, 1], 1, 'colour', rgb('#0080ff'));
  expect([...Array(50).keys()].every((x) => at(target, x, 1)[2] === 255)).toBe(true);
});

it('keeps one amount for each tool, none at rest, in the order of the tools', () => {
  const tool = (kind: string, along: string, rest: number) => ({ kind, along, rest }) as never;
  const tools = [tool('translate', 'x', 0), tool('translate', 'y', 0), tool('zoom', 'x', 1)];
  let changes = changed([], tools, tools[2]!, 2);
  changes = changed(changes, tools, tools[1]!, 5);
  expect(changes).toEqual([{ kind: 'translate', along: 'y', amount: 5 }, { kind: 'zoom', along: 'x', amount: 2 }]);
  expect(amountOf(changes, tools[0]!)).toBe(0);
  expect(changed(changes, tools, tools[2]!, 1)).toEqual([{ kind: 'translate', along: 'y', amount: 5 }]);
});
