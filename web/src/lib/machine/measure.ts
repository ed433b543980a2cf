// How wide words are, so that a name too long for its place keeps its end: what tells two layers apart stands there.

const BOLD = '600 12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
const PLAIN = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
let context: CanvasRenderingContext2D | null | undefined;

function widthOf(words: string, font: string): number {
  if (context === undefined) context = document.createElement('canvas').getContext('2d');
  if (!context) return words.length * 7;
  context.font = font;
  return context.measureText(words).width;
}

export function fits(words: string, room: number): boolean {
  return widthOf(words, PLAIN) <= room;
}

/** Name, room -> the name, or "…" and as much of its end as fits. */
export function endOf(name: string, room: number, width: (words: string) => number = (words) => widthOf(words, BOLD)): string {
  if (width(name) <= room) return name;
  let from = 1;
  while (from < name.length - 1 && width(`…${name.slice(from)}`) > room) from++;
  return `…${name.slice(from)}`;
}
