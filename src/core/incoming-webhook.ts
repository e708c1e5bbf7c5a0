import type { SealedSecret } from './secret-record.ts';

/** How many a project may have. */
export const incomingWebhooksPerProject = 20;

/** How a sender shows that it may: by a signature over what it sends, or where it cannot sign, by a token in a header. */
export const senderProofs = ['signature', 'token'] as const;
export type SenderProof = (typeof senderProofs)[number];

/** An address of a project to which other systems send what starts a pipeline on a fixed branch. */
export interface IncomingWebhook {
  readonly id: number;
  readonly projectId: number;
  /** Unique in its project, whatever its case; the last part of its address. */
  readonly name: string;
  readonly branch: string;
  readonly proof: SenderProof;
  /** Parameters of the pipeline, and where in the JSON body each is found: `{VERSION: '$.release.tag'}`. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly isEnabled: boolean;
  /** When a request was last accepted. */
  readonly lastAcceptedAt?: Date | undefined;
  readonly createdAt: Date;
  readonly createdBy: string;
}

export type SealedIncomingWebhook = IncomingWebhook & { readonly sealed: SealedSecret };

export type NewIncomingWebhook = Omit<IncomingWebhook, 'id' | 'lastAcceptedAt'>;

/** What changes; an absent key stays as it is. */
export type IncomingWebhookChange = {
  readonly [Key in 'branch' | 'proof' | 'parameters' | 'isEnabled' | 'lastAcceptedAt']?:
    | IncomingWebhook[Key]
    | undefined;
};

export interface IncomingWebhookStore {
  findByName(projectId: number, name: string): Promise<SealedIncomingWebhook | undefined>;
  /** By name. */
  list(projectId: number): Promise<readonly IncomingWebhook[]>;
  /** Answers its id; `undefined` when the name is taken. Nobody sees it before it is sealed. */
  reserve(webhook: NewIncomingWebhook): Promise<number | undefined>;
  setSealed(id: number, sealed: SealedSecret): Promise<void>;
  update(id: number, change: IncomingWebhookChange): Promise<void>;
  remove(id: number): Promise<void>;
}
