import { beforeEach, describe, expect, it } from 'vitest';
import { forget, nameOf, recent, remember } from './recent';

describe('what was opened last', () => {
  beforeEach(() => localStorage.clear());

  it('is kept newest first, once each, eight at most', () => {
    for (let i = 0; i < 10; i++) remember('models', { address: `zoo:${i}`, name: `${i}` });
    remember('models', { address: 'zoo:5', name: 'five' });
    expect(recent('models').map((one) => one.address)).toEqual(['zoo:5', 'zoo:9', 'zoo:8', 'zoo:7', 'zoo:6', 'zoo:4', 'zoo:3', 'zoo:2']);
    expect(recent('models')[0]!.name).toBe('five');
    expect(recent('pictures')).toEqual([]);
    expect(forget('models', 'zoo:5')).toHaveLength(7);
  });

  it('survives what others wrote there', () => {
    localStorage.setItem('cutaway-recent-models', '[1, null, {"address": ""}, {"address": "a", "name": "b"}]');
    expect(recent('models')).toEqual([{ address: 'a', name: 'b' }]);
    localStorage.setItem('cutaway-recent-models', '{oops');
    expect(recent('models')).toEqual([]);
  });

  it.each([
    ['upload:0f/cat.jpg', 'cat.jpg'], ['sample:cat', 'cat'], ['zoo:timm/resnet18', 'resnet18'], ['runs/demo/', 'demo'],
    ['frame:00', 'webcam'], ['as:resnet18:upload:0f/net.pth', 'net.pth'], ['C:\\photos\\dog.png', 'dog.png'], ['digits:17', 'digits:17'],
  ])('%s is called %s', (address, name) => expect(nameOf(address)).toBe(name));
});
