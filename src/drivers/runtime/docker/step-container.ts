import type { DevicePlan, HostVolumePlan } from '../../../core/plan.ts';
import type { EngineImage } from '../../container-engine/api/engine-images.ts';
import type { JobSpec, StageSpec } from '../runtime.ts';
import { type Agent, agentLabels, labels } from './agent.ts';
import { gateCommand, gateFolder } from './gate-program.ts';
import { type Hold, stepRestrictions, strictFiles, strictHomes } from './hardening.ts';
import type { Surroundings } from './surroundings.ts';
import { volumeMount } from './volume-mount.ts';

/** What the container of a step is made of. */
export interface StepContainer {
  readonly agent: Agent;
  readonly job: JobSpec;
  readonly step: StageSpec;
  readonly image: EngineImage;
  readonly surroundings: Surroundings;
  /** Volume with the gate. */
  readonly gateVolume: string;
  /** Volumes and caches, in the engine's words. */
  readonly mounts: readonly object[];
  /** Lines for its own /etc/hosts when it has an address of its own; absent = it shares the job's network. */
  readonly ownHosts?: readonly string[] | undefined;
}

/** The body of `POST /containers/create` for a step (Docker Engine API 1.41), but for its image. */
export function stepContainer(made: StepContainer): object {
  const { agent, job, step, surroundings, mounts } = made;
  const hold = holdOf(job, step);
  return {
    Entrypoint: hold === 'strict' ? [...gateCommand, String(strictFiles)] : gateCommand,
    Cmd: [],
    ...(step.user === undefined ? {} : { User: step.user }),
    WorkingDir: workingDirectoryOf(made),
    Labels: { ...agentLabels(agent), [labels.job]: job.id, [labels.step]: step.id },
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: true,
    StdinOnce: true,
    Tty: false,
    // An engine that shuts down ends the gate at once: what it then ends is not the step's own doing.
    StopSignal: 'SIGKILL',
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      ...stepRestrictions(step.limits, hold),
      ...(step.devices ? { Devices: step.devices.map(deviceOf) } : {}),
      // The gate is the first process, whatever the engine gives others: it reaps, and ends what is left.
      Init: false,
      IpcMode: 'private',
      ...networkOf(made),
      Mounts: [
        volumeMount(surroundings.volume, job.workspace, false),
        volumeMount(made.gateVolume, gateFolder, true),
        ...mounts,
        ...(step.hostVolumes ?? []).map(hostMount),
        ...(hold === 'strict' ? strictHomes : []),
      ],
    },
  };
}

/** A checkout is made by a program of ours, without a network: it may give files the owner that they are to have. */
export function holdOf(job: JobSpec, step: StageSpec): Hold {
  if (step.privileged) return 'privileged';
  return job.isStrict && step.kind !== 'clone' ? 'strict' : 'usual';
}

function networkOf({ step, surroundings, ownHosts }: StepContainer): object {
  if (step.network !== 'job') return { NetworkMode: step.network };
  if (!ownHosts) return { NetworkMode: `container:${surroundings.pause}` };
  return { NetworkMode: surroundings.network, ExtraHosts: ownHosts };
}

function workingDirectoryOf({ job: { workspace }, step, image }: StepContainer): string {
  if (step.workingDirectory === undefined)
    return step.startsIn === 'image' && image.workingDirectory !== '' ? image.workingDirectory : workspace;
  return step.workingDirectory.startsWith('/') ? step.workingDirectory : `${workspace}/${step.workingDirectory}`;
}

function deviceOf({ source, target, rights }: DevicePlan): object {
  return { PathOnHost: source, PathInContainer: target, CgroupPermissions: rights };
}

/** A folder that is not there is an error: an engine would make one as root. */
function hostMount({ source, target, isReadOnly = false }: HostVolumePlan): object {
  return { Type: 'bind', Source: source, Target: target, ReadOnly: isReadOnly };
}
