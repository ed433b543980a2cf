// The lessons in reading order: how the address names them, what they are called and the question each begins with.

export interface Lesson {
  name: string;
  title: string;
  question: string;
}

export const LESSONS: readonly Lesson[] = [
  { name: 'pixels', title: 'A picture is a table of numbers', question: 'You see a photo. What does the network get?' },
  { name: '1d-convolution', title: 'A kernel slides along a row', question: 'How do you find where 1 becomes 0 without looking?' },
  { name: '2d-convolution', title: 'Nine weights find edges', question: 'How can nine numbers know an edge from a flat wall?' },
  { name: 'stride-padding', title: 'Stride, padding and dilation', question: 'How large is the map, and what does its border see?' },
  { name: 'activation', title: 'ReLU, sigmoid, tanh', question: 'What happens to a number after the sum, and who pays for it in training?' },
  { name: 'pooling-shift', title: 'Pooling and shift', question: 'The cat moved three pixels. Is it still the same cat?' },
];

/** What the address says -> the lesson's place in the list; -1 where there is none of that name. */
export function placeOf(name: string | null): number {
  return LESSONS.findIndex((lesson) => lesson.name === name);
}
