import { describe, expect, it, vi } from 'vitest';
import { fitted, whyNot } from './camera';

describe('the camera', () => {
  it('gives pictures of its own shape, at most 480 long', () => {
    expect(fitted(640, 480)).toEqual([480, 360]);
    expect(fitted(1080, 1920)).toEqual([270, 480]);
    expect(fitted(320, 240)).toEqual([320, 240]);
    expect(fitted(0, 0)).toEqual([1, 1]);
  });

  it('is there in secure contexts only, and the page says so', () => {
    vi.stubGlobal('navigator', {});
    vi.stubGlobal('isSecureContext', false);
    expect(whyNot()).toContain('127.0.0.1');
    vi.stubGlobal('isSecureContext', true);
    expect(whyNot()).toContain('drop a photo');
    vi.stubGlobal('navigator', { mediaDevices: { getUserMedia: () => undefined } });
    expect(whyNot()).toBeNull();
    vi.unstubAllGlobals();
  });
});
