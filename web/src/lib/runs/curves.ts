import type { EpochRow } from '../api.gen';

/** One curve: a value for each epoch (null: no number). `style`: classes of draw/'s charts, or a colour of its own. */
export interface Curve {
  name: string;
  ys: readonly (number | null)[];
  style?: string;
  colour?: string;
  dashed?: boolean;
}

type Key = 'train_loss' | 'val_loss' | 'train_accuracy' | 'val_accuracy' | 'lr';

export function column(epochs: readonly EpochRow[], key: Key): (number | null)[] {
  return epochs.map((epoch) => (Number.isFinite(epoch[key]) ? epoch[key] : null));
}

/** Training dashed, validation solid, as in reports. */
export function pair(epochs: readonly EpochRow[], of: 'loss' | 'accuracy'): Curve[] {
  return [
    { name: 'training', ys: column(epochs, `train_${of}`), style: 's2', dashed: true },
    { name: 'validation', ys: column(epochs, `val_${of}`), style: 's1' },
  ];
}

/** The epoch whose weights are kept so far, counted from 1 over all phases; null before the first. */
export function kept(epochs: readonly EpochRow[]): number | null {
  const at = epochs.findLastIndex((epoch) => epoch.best);
  return at < 0 ? null : at + 1;
}
