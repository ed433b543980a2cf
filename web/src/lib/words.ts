// Numbers as people read them: three or four digits, thin spaces between thousands, units that fit.

const THIN = '\u202f';

/** 0.8765 -> "87.7 %"; what is not 0 or 1 is never shown as such: "< 0.1 %", "> 99.9 %". */
export function percent(share: number, digits = 1): string {
  if (!Number.isFinite(share)) return '–';
  const least = 10 ** -digits / 100;
  if (share > 0 && share < least / 2) return `<${THIN}${(least * 100).toFixed(digits)}${THIN}%`;
  if (share < 1 && share > 1 - least / 2) return `>${THIN}${(100 - least * 100).toFixed(digits)}${THIN}%`;
  return `${(share * 100).toFixed(digits)}${THIN}%`;
}

/** 0.0312 -> "+3.1 points": the difference of two shares. */
export function points(difference: number, digits = 1): string {
  if (!Number.isFinite(difference)) return '–';
  const shown = (difference * 100).toFixed(digits);
  return `${signed(shown)}${THIN}points`;
}

/** 11689512 -> "11.7 M": three digits and k, M, G, T. */
export function compact(count: number): string {
  if (!Number.isFinite(count)) return '–';
  const size = Math.abs(count);
  if (size < 1000) return Number.isInteger(count) ? String(count) : number(count);
  for (const [unit, scale] of [['k', 1e3], ['M', 1e6], ['G', 1e9], ['T', 1e12]] as const) {
    const shown = Number((count / scale).toPrecision(3));
    if (Math.abs(shown) < 1000 || unit === 'T') return `${shown}${THIN}${unit}`;
  }
  return String(count);
}

/** 11689512 -> "11 689 512". */
export function whole(count: number): string {
  return Math.round(count).toString().replace(/\B(?=(\d{3})+$)/g, THIN);
}

/** 0.012345 -> "0.01235", 1234.5 -> "1 235", 1.2e-9 -> "1.2e−9": `digits` significant ones. */
export function number(value: number, digits = 4): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e7) return minus(Number(value.toPrecision(digits)).toExponential().replace('e+', 'e'));
  const rounded = Number(value.toPrecision(digits));
  const [before = '', after] = minus(String(rounded)).split('.');
  return `${before.replace(/\B(?=(\d{3})+$)/g, THIN)}${after ? `.${after}` : ''}`;
}

/** A number with its sign: "+1.5", "−1.5", "0". */
export function signed(value: number | string): string {
  const amount = Number(value);
  const text = typeof value === 'number' ? number(value) : minus(value);
  return amount > 0 ? `+${text}` : amount === 0 ? text.replace('−', '') : text;
}

function minus(text: string): string {
  return text.replaceAll('-', '−');
}

/** [64, 56, 56] -> "64 × 56 × 56". */
export function shape(sizes: readonly number[]): string {
  return sizes.length ? sizes.join(' × ') : 'one number';
}

/** 1, "map" -> "1 map"; 3, "map" -> "3 maps"; 3, "class", "classes" -> "3 classes". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${whole(count)} ${count === 1 ? one : many}`;
}

/** 1536 -> "1.54 kB" (decimal, as file managers count). */
export function bytes(count: number): string {
  if (count < 1000) return plural(count, 'byte');
  return `${compact(count)}B`;
}

/** 0.0123 -> "12 ms", 3.21 -> "3.2 s", 75 -> "1 min 15 s", 4000 -> "1 h 7 min". */
export function seconds(time: number): string {
  if (!Number.isFinite(time)) return '–';
  if (time < 0.9995) return `${number(time * 1000, time < 0.01 ? 2 : 3)}${THIN}ms`;
  if (time < 9.95) return `${time.toFixed(1)}${THIN}s`;
  const all = Math.round(time);
  if (all < 60) return `${all}${THIN}s`;
  if (all < 3600) return `${Math.floor(all / 60)}${THIN}min ${all % 60}${THIN}s`;
  const minutes = Math.round(all / 60);
  return `${Math.floor(minutes / 60)}${THIN}h ${minutes % 60}${THIN}min`;
}

/** A sentence of Python's -> the same, whose numbers stay on one line with their percent sign. */
export function unbroken(text: string): string {
  return text.replace(/(\d) %/g, `$1${THIN}%`);
}
