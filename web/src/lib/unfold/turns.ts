// Much to draw -> as much of it in each frame as leaves the page live, first asked first.

/** Milliseconds of a frame that go into drawing; the rest of 16 is the browser's, which lays out and paints. */
export const BUDGET_MS = 8;
const waiting = new Set<() => void>();
let asked = false;

/** What is to be drawn -> how to take it back. At least one is drawn in each frame, the first before the next frame. */
export function inTurn(work: () => void): () => void {
  waiting.add(work);
  ask();
  return () => void waiting.delete(work);
}

function ask(): void {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const end = performance.now() + BUDGET_MS;
    for (const work of waiting) {
      waiting.delete(work);
      work();
      if (performance.now() >= end) break;
    }
    if (waiting.size) ask();
  });
}
