// Which lessons were opened and whose task was done: kept in this browser, nowhere else.

export interface Progress {
  opened: readonly string[];
  done: readonly string[];
}

const KEY = 'cutaway-lessons';

/** What the browser kept -> Progress; anything else is a fresh start. */
export function read(text: string | null): Progress {
  try {
    const found: unknown = JSON.parse(text ?? '{}');
    const { opened, done } = (found ?? {}) as Partial<Progress>;
    return { opened: names(opened), done: names(done) };
  } catch {
    return { opened: [], done: [] };
  }
}

function names(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((one): one is string => typeof one === 'string') : [];
}

let now = $state.raw<Progress>(read(stored()));

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function become(next: Progress): void {
  now = next;
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // A browser that keeps nothing forgets the progress with the page.
  }
}

export const progress = {
  get opened(): readonly string[] {
    return now.opened;
  },
  get done(): readonly string[] {
    return now.done;
  },
  open(lesson: string): void {
    if (!now.opened.includes(lesson)) become({ ...now, opened: [...now.opened, lesson] });
  },
  finish(lesson: string): void {
    if (!now.done.includes(lesson)) become({ ...now, done: [...now.done, lesson] });
  },
  forget(): void {
    become({ opened: [], done: [] });
  },
};
