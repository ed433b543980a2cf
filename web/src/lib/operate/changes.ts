// Changes of the picture as the address holds them, and sliders that stand for them.

import type { PictureChange, PictureTool } from '../api.gen';

type Place = Pick<PictureTool, 'kind' | 'along'>;

const same = (change: PictureChange, tool: Place) => change.kind === tool.kind && (change.kind !== 'translate' || (change.along ?? 'x') === tool.along);

/** Where a tool's slider stands. */
export function amountOf(changes: readonly PictureChange[], tool: Place & Pick<PictureTool, 'rest'>): number {
  return changes.find((change) => same(change, tool))?.amount ?? tool.rest;
}

/** Changes with the tool's at another amount; in the tools' order, those at rest left out. */
export function changed(changes: readonly PictureChange[], tools: readonly PictureTool[], tool: PictureTool, amount: number): PictureChange[] {
  return tools.flatMap((one) => {
    const now = same({ kind: tool.kind, along: tool.along, amount }, one) ? amount : amountOf(changes, one);
    return now === one.rest ? [] : [{ kind: one.kind, along: one.along, amount: now }];
  });
}
