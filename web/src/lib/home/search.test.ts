import { describe, expect, it } from 'vitest';
import type { Network } from '../api.gen';
import { searched } from './search';

const network = (name: string, note = ''): Network => ({ name, library: 'timm', size: [224, 224], parameters: 1, weights: '', note });
const all = [network('seresnet18'), network('resnet18d'), network('resnet18'), network('lenet5', 'resnet18 is larger')];

describe('the search among networks', () => {
  it('puts what is called so first, then what begins so', () => {
    expect(searched(all, ' ResNet18 ').map((one) => one.name)).toEqual(['resnet18', 'resnet18d', 'seresnet18', 'lenet5']);
  });
  it('wants every word', () => {
    expect(searched(all, 'resnet larger').map((one) => one.name)).toEqual(['lenet5']);
    expect(searched(all, 'nothing')).toEqual([]);
  });
  it('shows all as they come without a word', () => expect(searched(all, '  ')).toEqual(all));
});
