import type { StepLimits } from '../drivers/runtime/runtime.ts';
import type { LogLevel } from '../lib/logger.ts';
import type { ImageSettings } from './images.ts';

/** All that a runner on this host is told: plain data, given to it on its standard input. */
export interface RunnerSettings {
  readonly instanceId: string;
  readonly runnerId: string;
  /** Which program and settings it was started with: a server with others starts a new one. */
  readonly build: string;
  readonly socketPath: string;
  /** Where it leaves word of itself while it lives. */
  readonly recordPath: string;
  readonly slots: number;
  readonly logLevel: LogLevel;
  readonly stepLimits: StepLimits;
  readonly leaveAfterMs: number;
  readonly runtime:
    | { readonly kind: 'scripted' }
    | {
        readonly kind: 'sandbox';
        readonly launcher: 'auto' | 'bubblewrap' | 'runc';
        /** Uppers and checkouts. */
        readonly folder: string;
        readonly runFolder: string;
        readonly images: ImageSettings;
        readonly caBundle?: string | undefined;
      };
}
