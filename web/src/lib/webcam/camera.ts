// The browser's camera -> JPEG pictures, as the studio takes them.

import { Told } from '../api';

/** Pixels of the longer side: more than networks look at. */
const SIDE = 480;
const QUALITY = 0.92;

/** -> why there can be no camera here; null where there can. */
export function whyNot(): string | null {
  const devices = navigator.mediaDevices as MediaDevices | undefined; // not there outside secure contexts
  if (devices) return null;
  return globalThis.isSecureContext === false
    ? 'Browsers give the camera to pages of this machine only: open the studio at 127.0.0.1 or localhost.'
    : 'This browser gives pages no camera; drop a photo instead.';
}

/** -> the cameras there are; their names are known once one was allowed. */
export async function cameras(): Promise<MediaDeviceInfo[]> {
  return (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === 'videoinput');
}

/** Width and height -> the same shape, at most `side` long. */
export function fitted(width: number, height: number, side = SIDE): [number, number] {
  const scale = Math.min(1, side / Math.max(width, height, 1));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

export class Camera {
  readonly #canvas = document.createElement('canvas');

  private constructor(
    private readonly video: HTMLVideoElement,
    private readonly stream: MediaStream,
  ) {}

  /** A video element, a camera's id ("" for any) -> the camera, shown in it. Throws Told with what to do. */
  static async open(video: HTMLVideoElement, id = ''): Promise<Camera> {
    const wanted = { width: { ideal: 640 }, height: { ideal: 480 }, ...(id ? { deviceId: { exact: id } } : {}) };
    const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false }).catch((why: DOMException) => {
      throw new Told(refusal(why), 'camera', 0);
    });
    video.srcObject = stream;
    await video.play().catch(() => undefined);
    return new Camera(video, stream);
  }

  get id(): string {
    return this.stream.getVideoTracks()[0]?.getSettings().deviceId ?? '';
  }

  /** -> what it sees now, as JPEG. */
  async picture(): Promise<Blob> {
    if (!this.video.videoWidth) await new Promise((done) => this.video.addEventListener('loadeddata', done, { once: true }));
    [this.#canvas.width, this.#canvas.height] = fitted(this.video.videoWidth, this.video.videoHeight);
    this.#canvas.getContext('2d')!.drawImage(this.video, 0, 0, this.#canvas.width, this.#canvas.height);
    return new Promise((done, failed) =>
      this.#canvas.toBlob((blob) => (blob ? done(blob) : failed(new Told('The camera gave no picture.', 'camera', 0))), 'image/jpeg', QUALITY),
    );
  }

  close(): void {
    for (const track of this.stream.getTracks()) track.stop();
    if (this.video.srcObject === this.stream) this.video.srcObject = null;
  }
}

/** JPEG -> its address, good for the next few pictures. */
export async function sendFrame(blob: Blob): Promise<string> {
  const answer = await fetch('/api/frames', { method: 'POST', body: blob, credentials: 'same-origin' }).catch(() => null);
  const said = (await answer?.json().catch(() => null)) as { address?: string; message?: string } | null;
  if (!answer?.ok || !said?.address) throw new Told(said?.message ?? 'The studio does not answer: is it still running in its terminal?', 'offline', answer?.status ?? 0);
  return said.address;
}

function refusal({ name, message }: DOMException): string {
  switch (name) {
    case 'NotAllowedError':
      return 'The browser does not let this page use the camera: allow it beside the address, and try again.';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'No camera was found; plug one in, or drop a photo instead.';
    case 'NotReadableError':
      return 'The camera is in use by another program; close that, and try again.';
    default:
      return `The camera cannot be opened (${message || name}).`;
  }
}
