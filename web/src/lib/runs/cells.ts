// Cells of a confusion matrix, named "t,p": row of the true class, column of the answer.

/** Counts (K, K) -> the wrong cell with the most photos, the first of equals, as draw/confusion.py names it; null: none. */
export function worstCell(matrix: readonly (readonly number[])[]): string | null {
  let most = 0, found: string | null = null;
  matrix.forEach((row, t) => row.forEach((n, p) => {
    if (t !== p && n > most) { most = n; found = `${t},${p}`; }
  }));
  return found;
}
