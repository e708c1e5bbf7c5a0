import { GantryProcess } from '../support/gantry-process.ts';
import { describeCorpus } from '../support/run-corpus.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

describeCorpus({
  runtime: 'sandbox',
  hindrance: findSandboxHindrance('bubblewrap'),
  whyNoBuilder: 'images are built in test:docker',
  patienceMs: 120_000,
  start: (settings) => GantryProcess.start({ runtime: 'sandbox', settings }),
});
