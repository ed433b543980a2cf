import type { MapRequest } from '../api.gen';

/** An address's values -> what is asked of the server; what is not said is as `cutaway map` has it. */
export function askedOf(get: (name: string) => string | null, edits: MapRequest['edits'], fallback: string): MapRequest {
  const one = <const T extends string>(name: string, of: readonly T[], otherwise: NoInfer<T>): T => of.find((v) => v === get(name)) ?? otherwise;
  const number = (name: string, low: number, high: number, otherwise: number) => {
    const found = Number(get(name) ?? otherwise);
    return Number.isFinite(found) ? Math.min(high, Math.max(low, found)) : otherwise;
  };
  return {
    model: get('model') ?? '', edits, data: get('data') ?? fallback, layer: get('layer') ?? 'auto',
    method: one('method', ['tsne', 'umap', 'pca'], 'tsne'), fold: one('fold', ['auto', 'train', 'val', 'test', 'all'], 'auto'),
    most: Math.round(number('most', 5, 100_000, 10_000)), perplexity: number('perplexity', 1, 10_000, 30),
    neighbours: Math.round(number('neighbours', 2, 10_000, 15)), seed: Math.round(number('seed', 0, 2 ** 32 - 1, 0)),
  };
}
