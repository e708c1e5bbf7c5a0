import { describe, expect, it } from 'vitest';
import type { ImageWish, Runtime } from '../drivers/runtime/runtime.ts';
import { silentLogger } from '../lib/logger.ts';
import { ImageFetcher } from './image-fetcher.ts';

/** A runtime whose fetches end when the test says so. */
function slowRuntime() {
  const open: { readonly image: string; readonly end: PromiseWithResolvers<void> }[] = [];
  const fetchImage = async ({ image }: ImageWish): Promise<void> => {
    const end = Promise.withResolvers<void>();
    open.push({ image, end });
    await end.promise;
  };
  return { open, runtime: { name: 'sandbox', fetchImage } as unknown as Runtime };
}

const wish = (image: string): ImageWish => ({ image, pull: 'default' });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('images that are fetched ahead', () => {
  it('come two at a time, in their order, each once, and go on after one that fails', async () => {
    const { open, runtime } = slowRuntime();
    const fetcher = new ImageFetcher(silentLogger);
    fetcher.fetch(runtime, [wish('a'), wish('b'), wish('c'), wish('c'), { image: 'never', pull: 'never' }]);
    fetcher.fetch(runtime, [wish('c'), wish('d')]);
    expect(open.map(({ image }) => image)).toEqual(['a', 'b']);
    open[0]!.end.reject(new Error('no such image'));
    await turn();
    expect(open.map(({ image }) => image)).toEqual(['a', 'b', 'c']);
    open[1]!.end.resolve();
    await turn();
    expect(open.map(({ image }) => image)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('are not begun any more once the runner leaves', async () => {
    const { open, runtime } = slowRuntime();
    const fetcher = new ImageFetcher(silentLogger);
    fetcher.fetch(runtime, [wish('a'), wish('b'), wish('c')]);
    fetcher.stop();
    for (const { end } of open) end.resolve();
    await turn();
    fetcher.fetch(runtime, [wish('d')]);
    expect(open.map(({ image }) => image)).toEqual(['a', 'b']);
  });
});
