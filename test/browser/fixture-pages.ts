import { mkdir } from 'node:fs/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, inject } from 'vitest';
import { launchBrowser } from './browser.ts';
import { FixtureServer } from './fixtures/fixture-server.ts';
import { makeWorld } from './fixtures/world.ts';
import { pictures } from './looks.ts';

export interface FixturePages {
  readonly server: FixtureServer;
  /** Address of the server, without a slash at its end. */
  readonly base: string;
  readonly browser: Browser;
}

/** A server of fixtures and a browser for a group of tests, there while they run; each has a world of its own. */
export function fixturePages(): FixturePages {
  const pages = {} as { -readonly [Key in keyof FixturePages]: FixturePages[Key] };
  beforeAll(async () => {
    pages.server = new FixtureServer(inject('uiFolder'));
    pages.base = await pages.server.start();
    pages.browser = await launchBrowser();
    await mkdir(pictures, { recursive: true });
  });
  afterAll(async () => {
    await pages.browser?.close();
    await pages.server?.stop();
  });
  beforeEach(() => {
    pages.server.world = makeWorld();
    pages.server.requests.length = 0;
    pages.server.decisions.length = 0;
  });
  return pages;
}
