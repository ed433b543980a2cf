// Files that were dropped or chosen -> what belongs to a model and what is a picture.

const PICTURE = /\.(jpe?g|png|webp|gif|bmp|tiff?|heic|heif|avif|jfif)$/i;
const MODEL = /\.(h5|hdf5|keras|onnx|pt|pth|pt2|safetensors|tflite)$/i;
/** A folder with more files than this is a data set, not a model. */
export const MOST_FILES = 200;

export interface Sorted {
  /** Files of one model: one, or several that belong together. */
  model: File[];
  picture: File | null;
  /** What was not taken, and what to do with it; "" where all was. */
  sentence: string;
}

/** Endings of model files for a file chooser; what belongs to a model (weights, labels) and zips among them. */
export const MODEL_FILES = '.h5,.hdf5,.keras,.onnx,.pt,.pth,.pt2,.safetensors,.tflite,.json,.bin,.txt,.zip';

/** Files -> the model and the picture among them. */
export function sorted(files: readonly File[]): Sorted {
  const seen = files.filter((file) => !file.name.startsWith('.'));
  const pictures = seen.filter(isPicture);
  const others = seen.filter((file) => !isPicture(file));
  const models = others.filter((file) => MODEL.test(file.name));
  if (!seen.length) return { model: [], picture: null, sentence: 'Nothing was dropped: a folder must hold a file.' };
  if (pictures.length > 1) {
    const sentence = models.length
      ? `These are ${models.length === 1 ? 'a model' : 'models'} and ${pictures.length} pictures; one picture is looked at at a time, and ${pictures[0]!.name} was taken.`
      : `These are ${pictures.length} pictures; one is looked at at a time, and ${pictures[0]!.name} was taken. For maps and accuracy of all of them start with --data and their folder.`;
    return { model: models.length === 1 ? others : [], picture: pictures[0]!, sentence };
  }
  return { model: others, picture: pictures[0] ?? null, sentence: lone(others) };
}

function isPicture(file: File): boolean {
  return file.type.startsWith('image/') || PICTURE.test(file.name);
}

/** A TensorFlow.js model needs both of its kinds of files. */
function lone(files: readonly File[]): string {
  const names = files.map((file) => file.name);
  if (names.length === 1 && names[0] === 'model.json')
    return 'A TensorFlow.js model is model.json and its weights (.bin): if the weights are not found, drop all of them together, or the zip they came in.';
  if (names.length && names.every((name) => /\.(bin|txt)$/i.test(name)))
    return 'These belong to a model: drop model.json (or the model file) together with them, or the zip they came in.';
  return '';
}

interface Entry {
  isFile: boolean;
  isDirectory: boolean;
  file?: (done: (file: File) => void, failed: (why: unknown) => void) => void;
  createReader?: () => { readEntries: (done: (found: Entry[]) => void, failed: (why: unknown) => void) => void };
}

/** What was dropped -> all files, those of folders too (MOST_FILES at most). Call it inside the drop event. */
export async function filesOf(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() as Entry | null);
  if (!entries.some((entry) => entry?.isDirectory)) return [...transfer.files];
  const found: File[] = [];
  const waiting = entries.filter((entry) => entry !== null);
  while (waiting.length && found.length < MOST_FILES) {
    const entry = waiting.shift()!;
    if (entry.isFile) found.push(await new Promise<File>((done, failed) => entry.file!(done, failed)));
    else waiting.push(...(await listed(entry)));
  }
  return found;
}

async function listed(folder: Entry): Promise<Entry[]> {
  const reader = folder.createReader!();
  const found: Entry[] = [];
  for (;;) {
    const some = await new Promise<Entry[]>((done, failed) => reader.readEntries(done, failed));
    if (!some.length || found.length > MOST_FILES) return found;
    found.push(...some);
  }
}
