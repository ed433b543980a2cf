// Many buttons that stand together are one stop of the Tab key; arrow keys, Home and End move among them.

/** Element that holds buttons -> the same as one stop: an attachment, so that buttons may come and go. */
export function roving(box: HTMLElement): () => void {
  const all = () => [...box.querySelectorAll<HTMLElement>('button:not(:disabled)')];

  function stop(at: HTMLElement | undefined): void {
    for (const one of all()) {
      const index = one === at ? 0 : -1;
      if (one.tabIndex !== index) one.tabIndex = index;
    }
  }

  /** What is chosen is the stop, else what was, else the first. */
  function settle(): void {
    const there = all();
    stop(there.find((one) => one === document.activeElement) ?? there.find((one) => one.getAttribute('aria-pressed') === 'true') ?? there.find((one) => one.tabIndex === 0) ?? there[0]);
  }

  function pressed(event: KeyboardEvent): void {
    const there = all();
    const at = there.indexOf(event.target as HTMLElement);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = next(event.key, at, there.map((one) => one.getBoundingClientRect()));
    if (to === null) return;
    event.preventDefault();
    there[to]?.focus();
  }

  const focused = (event: FocusEvent) => stop(event.target as HTMLElement);
  const seen = new MutationObserver(settle);
  seen.observe(box, { childList: true, subtree: true, attributes: true, attributeFilter: ['aria-pressed', 'disabled'] });
  box.addEventListener('keydown', pressed);
  box.addEventListener('focusin', focused);
  settle();
  return () => {
    seen.disconnect();
    box.removeEventListener('keydown', pressed);
    box.removeEventListener('focusin', focused);
  };
}

/** Key, place in the order, where each stands -> the place it leads to; null for a key that does not move. */
export function next(key: string, at: number, boxes: readonly { left: number; top: number }[]): number | null {
  const last = boxes.length - 1;
  const here = boxes[at];
  if (key === 'Home') return 0;
  if (key === 'End') return last;
  if (key === 'ArrowRight') return Math.min(last, at + 1);
  if (key === 'ArrowLeft') return Math.max(0, at - 1);
  if (!here || (key !== 'ArrowDown' && key !== 'ArrowUp')) return null;
  const way = key === 'ArrowDown' ? 1 : -1;
  const beyond = boxes.map((box, i) => ({ i, row: (box.top - here.top) * way, side: Math.abs(box.left - here.left) })).filter(({ row }) => row > 4);
  const nearest = Math.min(...beyond.map(({ row }) => row));
  const found = beyond.filter(({ row }) => row <= nearest + 4).sort((a, b) => a.side - b.side)[0];
  return found ? found.i : at;
}
