import type { Inks } from './painter';

/** The page's colours as they are now, for what is drawn into a canvas. */
export function inksNow(dark: boolean): Inks {
  const style = getComputedStyle(document.documentElement);
  // A canvas tells any colour as #rrggbb, however short the style sheet says it.
  const pen = document.createElement('canvas').getContext('2d')!;
  const value = (name: string) => {
    pen.fillStyle = style.getPropertyValue(`--${name}`).trim();
    return String(pen.fillStyle);
  };
  return {
    dark, ground: value('panel'), faded: value('rule'), accent: value('accent'), wrong: value('miss'),
    none: dark ? '#7d8894' : '#8b95a0',
  };
}
