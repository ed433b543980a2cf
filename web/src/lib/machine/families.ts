// Families of layers as draw/diagram.py colours them: middle tones that hold on light and dark paper.

export const FAMILIES: Record<string, { colour: string; words: string }> = {
  block: { colour: '#5b7083', words: 'block' },
  conv: { colour: '#1f78b4', words: 'convolution' },
  dense: { colour: '#7b52ab', words: 'dense' },
  norm: { colour: '#8a8f98', words: 'normalisation' },
  activation: { colour: '#d1790a', words: 'activation' },
  pool: { colour: '#1b8a6b', words: 'pooling' },
  merge: { colour: '#c2426b', words: 'add, concatenate' },
  softmax: { colour: '#7b52ab', words: 'softmax' },
  attention: { colour: '#a0522d', words: 'attention' },
  shape: { colour: '#8a8f98', words: 'shape, padding' },
  dropout: { colour: '#8a8f98', words: 'dropout' },
  other: { colour: '#8a8f98', words: 'input, other' },
};

export function colourOf(family: string): string {
  return FAMILIES[family]?.colour ?? '#8a8f98';
}
