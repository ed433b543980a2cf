// Pixels -> a picture file, for what is drawn once and not changed. A canvas costs the browser half a millisecond or more
// in one task with all the others that changed; pictures are decoded beside the page, so that 64 of them hold nothing up.

const HEADERS = 54;
/** Bytes that are arguments of one call: far below what any browser takes. */
const CHUNK = 8192;

/** Opaque pixels as a canvas takes them (R, G, B, A in memory), row after row from the top -> a Windows bitmap. */
export function bitmap(pixels: Uint32Array, width: number, height: number): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(HEADERS + 4 * pixels.length);
  const at = new DataView(file.buffer);
  file.set([0x42, 0x4d]); // "BM"
  at.setUint32(2, file.length, true);
  at.setUint32(10, HEADERS, true);
  at.setUint32(14, 40, true); // the plainest header, BITMAPINFOHEADER
  at.setInt32(18, width, true);
  at.setInt32(22, -height, true); // negative: the first row is the top one
  at.setUint16(26, 1, true);
  at.setUint16(28, 32, true);
  at.setUint32(34, 4 * pixels.length, true);
  const from = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  file.set(from, HEADERS);
  for (let i = 0, to = HEADERS; i < from.length; i += 4, to += 4) {
    file[to] = from[i + 2]!; // a bitmap has blue first
    file[to + 2] = from[i]!;
  }
  return file;
}

/** The same as an address that holds the whole file. (An address of a Blob asks another process and waits, each time.) */
export function address(pixels: Uint32Array, width: number, height: number): string {
  const file = bitmap(pixels, width, height);
  let text = '';
  for (let i = 0; i < file.length; i += CHUNK) text += String.fromCharCode(...file.subarray(i, i + CHUNK));
  return `data:image/bmp;base64,${btoa(text)}`;
}
