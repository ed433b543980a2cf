// What was opened last, kept by this browser.

export interface Recent {
  /** What goes where a model or a picture is named. */
  address: string;
  /** What a person calls it. */
  name: string;
}

export type Kind = 'models' | 'pictures';
const MOST = 8;

/** -> newest first; [] where the browser keeps nothing. */
export function recent(kind: Kind): Recent[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(key(kind)) ?? '[]');
    return Array.isArray(found) ? found.filter(isRecent).slice(0, MOST) : [];
  } catch {
    return [];
  }
}

/** Puts one in front; an older one of the same address goes. -> the list as it is now. */
export function remember(kind: Kind, one: Recent): Recent[] {
  return keep(kind, [one, ...recent(kind).filter((old) => old.address !== one.address)].slice(0, MOST));
}

/** Takes one off, because it is not there any more. */
export function forget(kind: Kind, address: string): Recent[] {
  return keep(kind, recent(kind).filter((old) => old.address !== address));
}

function keep(kind: Kind, list: Recent[]): Recent[] {
  try {
    localStorage.setItem(key(kind), JSON.stringify(list));
  } catch {
    // A browser that keeps nothing forgets them with the page.
  }
  return list;
}

function key(kind: Kind): string {
  return `cutaway-recent-${kind}`;
}

function isRecent(value: unknown): value is Recent {
  const one = value as Partial<Recent> | null;
  return typeof one?.address === 'string' && typeof one.name === 'string' && one.address !== '';
}

/** A model's or picture's address -> what to call it until the server has said: "upload:ab/cat.jpg" -> "cat.jpg". */
export function nameOf(address: string): string {
  const plain = address.replace(/^as:[^:]+:/, '').replace(/^(sample|zoo):/, '');
  if (plain.startsWith('frame:')) return 'webcam';
  return plain.split(/[/\\]/).findLast((part) => part !== '') ?? plain;
}
