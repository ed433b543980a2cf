import { expect, test } from 'vitest';
import { dataName } from './data';

test('an upload goes by its name, anything else as it is', () => {
  expect(dataName(`upload:${'a0'.repeat(32)}/part-of-test.csv`)).toBe('part-of-test.csv');
  expect(dataName('/photos/test')).toBe('/photos/test');
  expect(dataName('digits')).toBe('digits');
});
