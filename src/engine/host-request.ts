import type { HostTrust } from '../core/pipeline-settings.ts';
import type { HostVolumePlan } from '../core/plan.ts';
import type { Position } from './source-position.ts';

/** Something that a step asks of its host, where it asks, and what an administrator has to trust the project with. */
export interface HostRequest {
  readonly need: HostTrust;
  /** As the end of "asks for …". */
  readonly what: string;
  readonly at: Position;
}

/** Folders of the host that were read among the volumes of the step, where they stand. */
export interface WrittenHostVolume extends HostVolumePlan {
  readonly at: Position;
}
