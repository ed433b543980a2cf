// What the lessons are about: the reader's picture and network, and what stands in for them where the address names none.

import { about } from '../about';

export type Subject = ReturnType<typeof about>;

const usual = { model: '', picture: 'sample:cat' };

/** What is taken from now on where the address names no model or no picture; "" keeps what there is. */
export function setUsual(model: string, picture: string): typeof usual {
  usual.model = model || usual.model;
  usual.picture = picture || usual.picture;
  return usual;
}

/** -> what every request of a lesson names. Read inside an effect or a template it follows the address. */
export function subject(): Subject {
  const said = about();
  return { ...said, model: said.model || usual.model, picture: said.picture || usual.picture };
}
