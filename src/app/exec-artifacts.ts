import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobWriter } from '../drivers/blobs/blobs.ts';
import { FilesystemBlobs } from '../drivers/blobs/filesystem/filesystem-blobs.ts';
import type { ToRunner, ToServer } from '../engine/runner-protocol.ts';

type FromRunner = Extract<ToServer, { readonly type: `artifact-${string}` }>;
type Answer = Extract<ToRunner, { readonly type: `artifact-${string}` }>;

const pieceBytes = 512 * 1024;

/** Artifacts of a run of the command line: from one workflow to the next, in a folder that goes with the run. */
export class ExecArtifacts {
  #folder: string | undefined;
  #opened: FilesystemBlobs | undefined;
  readonly #writers = new Map<string, BlobWriter>();
  readonly #made = new Map<string, { readonly digest: string; readonly sizeBytes: number }>();

  async hear(message: FromRunner, payload: Buffer): Promise<readonly [answer: Answer, payload?: Buffer]> {
    const { workflowId, attempt, token, stepId, name, upload } = message;
    const place = { workflowId, attempt, token, stepId, name, upload };
    const key = `${stepId}/${name}/${upload}`;
    try {
      switch (message.type) {
        case 'artifact-write': {
          const writer = this.#writers.get(key) ?? (await this.#blobs.begin());
          this.#writers.set(key, writer);
          await writer.write(payload);
          return [{ type: 'artifact-written', ...place, offset: writer.sizeBytes }];
        }
        case 'artifact-end': {
          const writer = this.#writers.get(key);
          if (!writer) return [refusal(place, 'it did not arrive whole')];
          this.#writers.delete(key);
          const digest = await writer.seal();
          await writer.commit();
          this.#made.set(name, { digest, sizeBytes: message.sizeBytes });
          return [{ type: 'artifact-stored', ...place, offset: message.sizeBytes }];
        }
        case 'artifact-read': {
          const made = this.#made.get(name);
          const bytes = made && (await this.#blobs.read(made.digest, message.offset, pieceBytes));
          if (!bytes) return [refusal(place, 'it was not made in this run', false)];
          return [{ type: 'artifact-part', ...place, offset: message.offset, sizeBytes: made.sizeBytes }, bytes];
        }
      }
    } catch (error) {
      return [refusal(place, error instanceof Error ? error.message : String(error))];
    }
  }

  /** Most runs have none: the folder is made with the first. */
  get #blobs(): FilesystemBlobs {
    this.#folder ??= mkdtempSync(join(tmpdir(), 'gantry-exec-artifacts-'));
    this.#opened ??= new FilesystemBlobs(this.#folder);
    return this.#opened;
  }

  async remove(): Promise<void> {
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }
}

function refusal(
  place: Pick<Answer, 'workflowId' | 'attempt' | 'token' | 'stepId' | 'name' | 'upload'>,
  message: string,
  isInfrastructure = true,
): Answer {
  return { type: 'artifact-refused', ...place, message, isInfrastructure };
}
