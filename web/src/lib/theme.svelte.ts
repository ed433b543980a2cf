// Light, dark, or what the system says. public/theme.js sets the stored choice before the first paint.

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];
const KEY = 'cutaway-theme';

const system = matchMedia('(prefers-color-scheme: dark)');
let chosen = $state<Theme>(stored());
let systemDark = $state(system.matches);
system.addEventListener('change', () => (systemDark = system.matches));

function stored(): Theme {
  try {
    const found = localStorage.getItem(KEY);
    return THEMES.find((one) => one === found) ?? 'auto';
  } catch {
    return 'auto';
  }
}

export const theme = {
  get chosen(): Theme {
    return chosen;
  },
  /** What is shown now: canvases that take colours from CSS variables draw again when it changes. */
  get dark(): boolean {
    return chosen === 'auto' ? systemDark : chosen === 'dark';
  },
  choose(next: Theme): void {
    chosen = next;
    if (next === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      if (next === 'auto') localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, next);
    } catch {
      // A browser that keeps nothing forgets the choice with the page.
    }
  },
};
