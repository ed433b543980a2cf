// Where a popover stands: under what opened it, above where there is no room, inside the window.

const ROOM = 8; // px between the card, what opened it and the window's edges

export function beside(opener: HTMLElement | undefined, card: HTMLElement | undefined): void {
  if (!opener || !card) return;
  const at = opener.getBoundingClientRect();
  const size = card.getBoundingClientRect();
  const below = at.bottom + ROOM + size.height < innerHeight;
  card.style.left = `${Math.max(ROOM, Math.min(at.left, innerWidth - size.width - ROOM))}px`;
  card.style.top = `${below ? at.bottom + ROOM / 2 : Math.max(ROOM, at.top - size.height - ROOM / 2)}px`;
}
