import { expect, it } from 'vitest';
import { Latest } from './latest.svelte';

it('asks one at a time, and of those that wait only the newest', async () => {
  const asked: number[] = [];
  let answer: (() => void) | undefined;
  const latest = new Latest((body: number) => {
    asked.push(body);
    return new Promise<number>((done) => (answer = () => done(body * 10)));
  });
  for (const body of [1, 2, 3]) latest.want(body);
  expect(asked).toEqual([1]);
  answer?.();
  await Promise.resolve();
  await new Promise((done) => setTimeout(done));
  expect(latest.value).toBe(10);
  expect(asked).toEqual([1, 3]);
  answer?.();
  await new Promise((done) => setTimeout(done));
  expect(latest.value).toBe(30);
  latest.want(3);
  expect(asked).toEqual([1, 3]); // it was asked already
});

it('tells a refusal, keeps the last answer, and forgets the refusal with the next', async () => {
  const latest = new Latest((body: number) => (body ? Promise.resolve(body) : Promise.reject(new Error('Too small.'))));
  for (const body of [1, 0, 2]) {
    latest.want(body);
    await new Promise((done) => setTimeout(done));
    expect([latest.value, latest.refused]).toEqual(body === 0 ? [1, 'Too small.'] : [body, '']);
  }
});
