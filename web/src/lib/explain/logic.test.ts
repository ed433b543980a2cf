import { describe, expect, it } from 'vitest';
import type { ChecksTold, ExplainCard, MethodCard } from '../api.gen';
import { moved, placeAt } from './place';
import { isBad, placed, type Column } from './trust';
import { fileName, neighbour, told, viewBox, type UnitFound } from './unit';
import { figures, list, points, summary } from './verdicts';
import { groups, keyOf, namesOf, settingsOf, typedFor, withKnob } from './wanted';

const METHOD: MethodCard = {
  name: 'gradcam', title: 'Grad-CAM', says: '', paper: '', departs: '', runs: '', cost: 'instant', layered: true, units: 'score', why: '',
  knobs: [{ name: 'relu', kind: 'yes-no', default: 'no', help: '', choices: [] }],
};
const CHECKS: ChecksTold = {
  level: 'passes', sentence: '', completeness: 0.012, deletion: 0.2, insertion: 0.81, deletion_random: 0.4, insertion_random: 0.5,
  deletion_edges: 0.3, insertion_edges: 0.6, deletion_curve: [], insertion_curve: [], deletion_curve_random: [],
  insertion_curve_random: [], randomised: -0.123, shifted: null, edges: 0.1, notes: [], seconds: 1,
};

describe('what is asked for', () => {
  it('gives the chosen layer to the methods that weigh one only', () => {
    expect(settingsOf(METHOD, { gradcam: { relu: 'yes' } }, 'conv5')).toEqual({ relu: 'yes', layer: 'conv5' });
    expect(settingsOf({ ...METHOD, layered: false }, {}, 'conv5')).toEqual({});
  });

  it('keeps no setting that is at its default', () => {
    const typed = withKnob({}, METHOD, 'relu', 'yes');
    expect(typed).toEqual({ gradcam: { relu: 'yes' } });
    expect(withKnob(typed, METHOD, 'relu', 'no')).toEqual({});
  });

  it('names another map by another key, whatever the order of settings', () => {
    const a = keyOf('cat', { name: 'rise', settings: { seed: '1', masks: '9' } });
    expect(keyOf('cat', { name: 'rise', settings: { masks: '9', seed: '1' } })).toBe(a);
    expect(keyOf('dog', { name: 'rise', settings: { masks: '9', seed: '1' } })).not.toBe(a);
  });

  it('groups by cost and leaves empty groups out', () => {
    const found = groups([METHOD, { ...METHOD, name: 'rise', cost: 'slow' }]);
    expect(found.map((group) => [group.cost, group.methods.length])).toEqual([['instant', 1], ['slow', 1]]);
  });

  it('tells two classes of one name apart', () => {
    const classes = ['crane', 'cat', 'crane'];
    expect(namesOf(classes)).toEqual(['crane (0)', 'cat', 'crane (2)']);
    const card = { classes } as unknown as ExplainCard;
    expect([0, 1, 2].map((i) => typedFor(card, i))).toEqual(['0', 'cat', '2']);
  });
});

describe('a place on all maps', () => {
  const box = { left: 100, top: 50, width: 200, height: 100 } as DOMRect;
  it('is found under the pointer', () => {
    expect(placeAt(box, 100, 50, [10, 20])).toEqual({ row: 0, column: 0 });
    expect(placeAt(box, 299, 149, [10, 20])).toEqual({ row: 9, column: 19 });
    expect(placeAt(box, 300, 149, [10, 20])).toBeNull();
  });
  it('is moved by the arrow keys and stays on the picture', () => {
    expect(moved('ArrowRight', false, null, [10, 20])).toEqual({ row: 5, column: 11 });
    expect(moved('ArrowUp', false, { row: 0, column: 3 }, [10, 20])).toEqual({ row: 0, column: 3 });
    expect(moved('ArrowDown', true, { row: 0, column: 3 }, [10, 20])).toEqual({ row: 2, column: 3 });
    expect(moved('Enter', false, null, [10, 20])).toBeNull();
  });
});

describe('what was measured', () => {
  it('is told with what it is held against', () => {
    const found = figures(CHECKS);
    expect(found[0]).toEqual({ name: 'Deletion', value: '0.20', beside: 'random 0.40, edges 0.30' });
    expect(found[2]?.value).toBe('ρ −0.12');
    expect(found[3]?.value).toBe('–');
    expect(found[4]?.value).toContain('1.2');
    expect(figures({ ...CHECKS, completeness: null })).toHaveLength(4);
  });
  it('is summed up with what fails first', () => {
    const said = summary([{ title: 'A', level: 'passes' }, { title: 'B', level: 'fails' }, { title: 'C', level: 'fails' }, { title: 'D', level: 'doubtful' }]);
    expect(said).toBe('B and C fail here: do not believe them. D is doubtful. A passes every check.');
    expect(summary([])).toBe('');
    expect(list(['a', 'b', 'c'])).toBe('a, b and c');
  });
  it('is drawn from left to right, 1 on top', () => {
    expect(points([1, 0.5, 0], 100, 10)).toBe('0,0 50,5 100,10');
  });
  it('is bad on one side of a limit', () => {
    const column: Column = { name: '', title: '', words: '', limit: 0.6, bad: 'above', low: 0, high: 1 };
    expect(isBad({ mean: 0.7, low: null, high: null, n: 1 }, column)).toBe(true);
    expect(isBad({ mean: 0.7, low: null, high: null, n: 1 }, { ...column, bad: 'below' })).toBe(false);
    expect([placed(-9, column), placed(1, column)]).toEqual([0, 1]);
  });
});

describe('a unit', () => {
  const unit = { class: null, kind: 'ReLU', channel: 3, cell: null, sees: '19 x 19', window: [19, 19] } as unknown as UnitFound;
  it('shows just what it sees of a photo, padding included', () => {
    expect(viewBox([-2, 0, 7, 9], [28, 28])).toBe('0 -2 10 10');
    expect(viewBox(null, [28, 30])).toBe('0 0 30 28');
  });
  it('has neighbours where it is a channel', () => {
    expect([neighbour('conv1[3]', -1), neighbour('conv1[3]', 1), neighbour('conv1[0]', -1), neighbour('class:cat', 1)])
      .toEqual(['conv1[2]', 'conv1[4]', null, null]);
  });
  it('is told in words', () => {
    expect(told(unit)).toBe('ReLU, channel 3; one of its numbers sees 19 x 19 px');
    expect(told({ ...unit, class: 'cat', window: null })).toBe('class; sees the whole picture');
    expect(fileName('/a/b/cat.png')).toBe('cat.png');
  });
});
