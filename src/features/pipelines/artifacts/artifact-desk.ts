import type { ArtifactLimits } from '../../../core/artifact.ts';
import { findArtifactFault } from '../../../core/artifact.ts';
import { GantryError } from '../../../core/errors.ts';
import { isFinished } from '../../../core/pipeline.ts';
import type { UnitOfWork } from '../../../core/unit-of-work.ts';
import type { BlobStorage, BlobWriter } from '../../../drivers/blobs/blobs.ts';
import type { ToRunner, ToServer } from '../../../engine/runner-protocol.ts';
import type { Clock } from '../../../lib/clock.ts';
import { failpoint } from '../../../lib/failpoint.ts';
import type { Logger } from '../../../lib/logger.ts';
import { findStep, type OpenWorkflow } from '../open-pipelines.ts';

type FromRunner = Extract<ToServer, { readonly type: `artifact-${string}` }>;
type Answer = Extract<ToRunner, { readonly type: `artifact-${string}` }>;
type Write = Extract<FromRunner, { type: 'artifact-write' }>;
type End = Extract<FromRunner, { type: 'artifact-end' }>;
type Read = Extract<FromRunner, { type: 'artifact-read' }>;

/** Who sends: pieces of one line are of no use over another. */
export interface ArtifactSender {
  send(message: ToRunner, payload?: Uint8Array): void;
}

export interface ArtifactDeskDeps {
  readonly store: UnitOfWork;
  /** Absent = this server keeps none. */
  readonly blobs: BlobStorage | undefined;
  readonly limits: ArtifactLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Upload {
  readonly upload: number;
  readonly writer: BlobWriter;
  /** What there was before it, by which it is measured while it grows. */
  readonly used: { readonly project: number; readonly pipeline: number };
}

const pieceBytes = 512 * 1024;
/** Artifacts that one runner may send at the same time: one for each step that runs there, with room. */
const maxUploads = 256;

/**
 * Takes the artifacts of steps from their runners, and gives those that a step takes. The caller has seen that the claim
 * is the sender's; when an artifact is recorded the record is asked again, since a claim may be lost meanwhile.
 */
export class ArtifactDesk {
  readonly #deps: ArtifactDeskDeps;
  readonly #uploads = new Map<ArtifactSender, Map<string, Upload>>();

  constructor(deps: ArtifactDeskDeps) {
    this.#deps = deps;
  }

  async hear(sender: ArtifactSender, workflow: OpenWorkflow, message: FromRunner, payload: Buffer): Promise<void> {
    try {
      if (message.type === 'artifact-read') await this.#read(sender, workflow, message);
      else if (message.type === 'artifact-write') await this.#write(sender, workflow, message, payload);
      else await this.#end(sender, workflow, message);
    } catch (error) {
      await this.#discard(sender, message);
      this.#answer(sender, message, { type: 'artifact-refused', ...this.#wordsOf(error, message) });
    }
  }

  /** The line of a runner broke, or it is gone: what it was sending begins anew. */
  async forget(sender: ArtifactSender): Promise<void> {
    const uploads = this.#uploads.get(sender);
    this.#uploads.delete(sender);
    for (const { writer } of uploads?.values() ?? []) await this.#drop(writer);
  }

  async #write(sender: ArtifactSender, workflow: OpenWorkflow, message: Write, payload: Buffer): Promise<void> {
    const { pipeline } = workflow;
    this.#planOf(workflow, message);
    const uploads = this.#uploads.get(sender) ?? new Map<string, Upload>();
    this.#uploads.set(sender, uploads);
    const key = keyOf(message);
    let upload = uploads.get(key);
    if (message.offset === 0) {
      await this.#discard(sender, message);
      if (uploads.size >= maxUploads) throw new Refusal('its runner sends too many at the same time', true);
      const writer = await this.#blobs.begin();
      upload = {
        upload: message.upload,
        writer,
        used: await this.#usedBesides(pipeline.row.projectId, pipeline.row.id, message.name),
      };
      uploads.set(key, upload);
    }
    if (!upload || upload.upload !== message.upload || upload.writer.sizeBytes !== message.offset) {
      // Nothing, or something else, is here of what it goes on with.
      this.#answer(sender, message, { type: 'artifact-written', offset: 0 });
      return;
    }
    const fault = findArtifactFault(message.offset + payload.length, upload.used, this.#deps.limits);
    if (fault !== undefined) throw new Refusal(fault, false);
    await upload.writer.write(payload);
    await failpoint('artifact.afterPiece');
    this.#answer(sender, message, { type: 'artifact-written', offset: upload.writer.sizeBytes });
  }

  async #end(sender: ArtifactSender, workflow: OpenWorkflow, message: End): Promise<void> {
    const { store, clock, limits } = this.#deps;
    const blobs = this.#blobs;
    const { plan, step } = this.#planOf(workflow, message);
    const upload = this.#uploads.get(sender)?.get(keyOf(message));
    if (!upload || upload.upload !== message.upload || upload.writer.sizeBytes !== message.sizeBytes) {
      // The runner hears that it is not whole, and begins anew.
      this.#answer(sender, message, {
        type: 'artifact-refused',
        message: 'it did not arrive whole',
        isInfrastructure: true,
      });
      return;
    }
    const { writer } = upload;
    const { projectId, id: pipelineId } = workflow.pipeline.row;
    const digest = await writer.seal();
    await blobs.exclusively(digest, async () => {
      const wasThere = (await blobs.find(digest)) !== undefined;
      await writer.commit();
      await failpoint('artifact.beforeRecord');
      try {
        const now = clock.now();
        await store.write(async (stores) => {
          const { workflowId, attempt, token } = message;
          const stale = await stores.pipelines.staleClaims([{ workflowId, attempt, token }]);
          if (stale.length > 0) throw new Refusal('its workflow was given to somebody else', true);
          const replaced = await stores.artifacts.find(pipelineId, plan.name);
          const sizes = await stores.artifacts.sizes(projectId, pipelineId);
          const used = without(sizes, replaced?.sizeBytes ?? 0);
          const fault = findArtifactFault(message.sizeBytes, used, limits);
          if (fault !== undefined) throw new Refusal(fault, false);
          await stores.artifacts.put({
            projectId,
            pipelineId,
            workflowId: workflow.id,
            attempt: workflow.attempt,
            step: step.name,
            name: plan.name,
            digest,
            sizeBytes: message.sizeBytes,
            entries: Math.max(0, Math.trunc(message.entries)),
            createdAt: now,
            expiresAt: new Date(now.getTime() + plan.keepMs),
          });
        });
      } catch (error) {
        if (!wasThere) await this.#removeUnnamed(digest);
        throw error;
      }
    });
    await failpoint('artifact.afterRecord');
    await this.#discard(sender, message);
    this.#answer(sender, message, { type: 'artifact-stored', offset: message.sizeBytes });
  }

  async #read(sender: ArtifactSender, workflow: OpenWorkflow, message: Read): Promise<void> {
    const { store } = this.#deps;
    const position = findStep(workflow, message.stepId)?.position;
    const taken = workflow.plan.steps[position ?? -1]?.takes?.find(({ name }) => name === message.name);
    if (!taken) throw new Refusal('the step does not say that it takes it', true);
    const { pipeline } = workflow;
    const maker = pipeline.workflows.find(({ name }) => name === taken.workflow);
    const row = await store.read.artifacts.find(pipeline.row.id, message.name);
    // A rerun that did not make it anew has not made it, whatever is left of the attempt before.
    if (!row || !maker || row.workflowId !== maker.id || row.attempt !== maker.attempt)
      throw new Refusal(whyNotMade(taken.workflow, maker), false);
    await failpoint('artifact.beforePart');
    const bytes = await this.#blobs.read(row.digest, message.offset, pieceBytes);
    if (!bytes) throw new Refusal('its bytes are not on the disk of the server any more', true);
    this.#answer(sender, message, { type: 'artifact-part', offset: message.offset, sizeBytes: row.sizeBytes }, bytes);
  }

  /** What the plan says of an artifact that a step sends. */
  #planOf(workflow: OpenWorkflow, { stepId, name }: Write | End) {
    const step = findStep(workflow, stepId);
    const plan = step && workflow.plan.steps[step.position]?.artifacts?.find((one) => one.name === name);
    if (!step || !plan) throw new Refusal('the step does not say that it leaves it', true);
    if (isFinished(step.status)) throw new Refusal('the step has ended', true);
    return { step, plan };
  }

  get #blobs(): BlobStorage {
    const { blobs } = this.#deps;
    if (!blobs) throw new Refusal('this server keeps no artifacts', true);
    return blobs;
  }

  /** One of the same name makes room when it is replaced. */
  async #usedBesides(projectId: number, pipelineId: number, name: string): Promise<Upload['used']> {
    const { artifacts } = this.#deps.store.read;
    const [sizes, replaced] = await Promise.all([
      artifacts.sizes(projectId, pipelineId),
      artifacts.find(pipelineId, name),
    ]);
    return without(sizes, replaced?.sizeBytes ?? 0);
  }

  async #removeUnnamed(digest: string): Promise<void> {
    const named = await this.#deps.store.read.artifacts.named([digest]);
    if (!named.has(digest)) await this.#blobs.remove(digest);
  }

  async #discard(sender: ArtifactSender, message: FromRunner): Promise<void> {
    const uploads = this.#uploads.get(sender);
    const upload = uploads?.get(keyOf(message));
    if (!upload) return;
    uploads?.delete(keyOf(message));
    await this.#drop(upload.writer);
  }

  async #drop(writer: BlobWriter): Promise<void> {
    try {
      await writer.discard();
    } catch (error) {
      this.#deps.logger.warn('Half an artifact could not be removed; the next start does it', { error });
    }
  }

  #wordsOf(
    error: unknown,
    { name, workflowId }: FromRunner,
  ): { readonly message: string; readonly isInfrastructure: boolean } {
    if (error instanceof Refusal) return { message: error.message, isInfrastructure: error.isInfrastructure };
    this.#deps.logger.error('An artifact could not be worked on', { error, name, workflowId });
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOSPC' || code === 'EDQUOT')
      return { message: 'the disk of the server has no room left', isInfrastructure: true };
    const message = error instanceof GantryError ? error.message : 'the server cannot read or write it';
    return { message, isInfrastructure: true };
  }

  #answer(
    sender: ArtifactSender,
    { workflowId, attempt, token, stepId, name, upload }: FromRunner,
    answer: WithoutPlace<Answer>,
    payload?: Uint8Array,
  ): void {
    sender.send({ ...answer, workflowId, attempt, token, stepId, name, upload } as Answer, payload);
  }
}

type Place = 'workflowId' | 'attempt' | 'token' | 'stepId' | 'name' | 'upload';
type WithoutPlace<Message> = Message extends unknown ? Omit<Message, Place> : never;

/** Told to the step, as the end of a sentence. */
class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly isInfrastructure: boolean;

  constructor(message: string, isInfrastructure: boolean) {
    super(message);
    this.isInfrastructure = isInfrastructure;
  }
}

function whyNotMade(name: string, maker: OpenWorkflow | undefined): string {
  if (!maker) return `it was not made: workflow "${name}" does not run at this event`;
  if (maker.status === 'passed') return `it is not there any more, or "${name}" passed without making it`;
  return `it was not made: workflow "${name}" is ${maker.status}`;
}

function without(sizes: Upload['used'], bytes: number): Upload['used'] {
  return { project: sizes.project - bytes, pipeline: sizes.pipeline - bytes };
}

function keyOf({ workflowId, attempt, token, stepId, name }: FromRunner): string {
  return `${workflowId}/${attempt}/${token}/${stepId}/${name}`;
}
