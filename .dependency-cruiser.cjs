/** Who may import whom. Read top to bottom: inner folders first. Keep in step with ARCHITECTURE.md. */
const interfaces = 'drivers/[^/]+/[^/]+\\.ts$';
const notTests = '\\.(test|contract)\\.ts$';

/** Files under `from` may import themselves and `allowed`, and nothing else of src/. */
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from, pathNot: notTests },
  to: { path: '^src/', pathNot: [from, ...allowed.map((path) => `^src/${path}`)] },
});

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Two files that need each other are one file, or are missing a third.',
      from: {},
      to: { circular: true },
    },
    only('lib-knows-nothing', '^src/lib/', [], 'lib/ is general; if it knows Gantry words it belongs in core/.'),
    only('core-is-pure', '^src/core/', ['lib/'], 'core/ describes; it does not do I/O.'),
    only('api-is-the-wire', '^src/api/', ['core/', 'lib/'], 'api/ is shared with the browser.'),
    only(
      'driver-interfaces-stand-alone',
      '^src/drivers/[^/]+/[^/]+\\.ts$',
      ['core/', 'lib/'],
      'An interface knows nouns, never an implementation.',
    ),
    only('store-is-a-detail', '^src/store/', ['core/', 'lib/'], 'Tables serve the interfaces in core/.'),
    only(
      'engine-knows-no-server',
      '^src/engine/',
      ['core/', 'lib/', interfaces],
      'The engine runs in the CLI and in runners too.',
    ),
    only(
      'runner-knows-no-server',
      '^src/runner/',
      ['core/', 'lib/', 'api/', 'engine/', interfaces],
      'The runner speaks a protocol; it never reads the database.',
    ),
    only(
      'features-use-interfaces',
      '^src/features/',
      ['core/', 'lib/', 'api/', 'engine/', interfaces],
      'A feature asks for a driver interface; app/ picks the implementation.',
    ),
    only(
      'server-knows-no-feature',
      '^src/server/',
      ['core/', 'lib/', 'api/', 'features/feature\\.ts$'],
      'Features are handed to the server as values.',
    ),
    only(
      'cli-starts-app',
      '^src/cli/',
      ['core/', 'lib/', 'api/', 'engine/', 'app/'],
      'A command parses its flags and calls; app/ wires.',
    ),
    only('ui-speaks-the-wire', '^ui/', ['api/'], 'The browser knows the wire and nothing behind it.'),
    {
      name: 'features-are-islands',
      severity: 'error',
      comment: 'Talk through core/events.ts or an interface in core/.',
      from: { path: '^src/features/([^/]+)/', pathNot: notTests },
      to: { path: '^src/features/([^/]+)/', pathNot: '^src/features/$1/' },
    },
    {
      name: 'drivers-are-islands',
      severity: 'error',
      comment: 'A driver knows its own interface and nothing of its neighbours.',
      from: { path: '^src/drivers/([^/]+)/([^/]+)/', pathNot: notTests },
      to: {
        path: '^src/',
        pathNot: [
          '^src/drivers/$1/$2/',
          '^src/drivers/$1/[^/]+\\.ts$',
          // A client that runs steps and builds images in the same engines.
          '^src/drivers/container-engine/api/',
          // What sandboxes and container engines keep of steps, on the same disk.
          '^src/drivers/$1/caches/',
          '^src/core/',
          '^src/lib/',
        ],
      },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
