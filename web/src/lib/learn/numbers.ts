// Numbers in the lessons' grids and sums: short, with a true minus, never more digits than fit.

/** 0.42468 -> "0.42", -1 -> "−1", 1234.5 -> "1235", 0.0004 -> "0.0004": what fits a small cell. */
export function short(value: number, digits = 2): string {
  const size = Math.abs(value);
  if (size === 0 || Number.isInteger(value)) return size >= 1e6 ? small(value) : minus(String(value + 0));
  if (size < 0.5 * 10 ** -digits) return minus(value.toPrecision(1));
  return minus(value.toFixed(size >= 100 ? 0 : digits));
}

/** 0.25 -> "0.25", 0.1966 -> "0.1966": up to so many digits behind the point, no zeros at the end. */
export function tidy(value: number, digits = 2): string {
  return minus(String(Number(value.toFixed(digits)) + 0));
}

const RAISED = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** 0.0431 -> "0.0431", 0.0000055 -> "5.5 × 10⁻⁶", 3481200 -> "3.5 × 10⁶": numbers of any size. */
export function small(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 0.001 && size < 10_000)) return tidy(value, 4);
  const [digits = '', power = '0'] = value.toExponential(1).split('e');
  const raised = [...power.replace(/[+-]/, '')].map((digit) => RAISED[Number(digit)]).join('');
  return `${minus(digits)} × 10${power.startsWith('-') ? '⁻' : ''}${raised}`;
}

/** As `short`, in brackets where it is below zero and something stands before it: 2 × (−1). */
export function factor(value: number, digits = 2): string {
  return value < 0 ? `(${short(value, digits)})` : short(value, digits);
}

function minus(text: string): string {
  return text.replace('-', '−');
}

/** What a person typed -> the number, null while it is none ("", "-", "1e"). A comma counts as a point. */
export function typed(text: string): number | null {
  const plain = text.trim().replace('−', '-').replace(',', '.');
  const value = Number(plain);
  return plain !== '' && Number.isFinite(value) ? value : null;
}

/** Patch, kernel, their sum -> "1 × 1 + 0 × (−1) = 1"; more than `most` products are told by the first and last. */
export function sumInWords(patch: readonly number[], kernel: readonly number[], sum: number, most = 6): string {
  const parts = patch.map((value, i) => `${short(value)} × ${factor(kernel[i] ?? 0)}`);
  const shown = parts.length > most ? [...parts.slice(0, most - 1), '…', parts[parts.length - 1]] : parts;
  return `${shown.join(' + ')} = ${short(sum)}`;
}
