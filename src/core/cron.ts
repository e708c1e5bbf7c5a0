/** A schedule of a project: a pipeline on a branch at the times that an expression names. */
export interface Cron {
  readonly id: number;
  readonly projectId: number;
  /** Unique in its project, whatever its case; what `cron` conditions in pipeline files compare with. */
  readonly name: string;
  /** Five fields, or a descriptor such as `@daily`. */
  readonly expression: string;
  /** IANA name of the zone whose clock the expression means, e.g. `Asia/Shanghai`. */
  readonly timeZone: string;
  readonly branch: string;
  readonly isEnabled: boolean;
  /** The slot that runs next; absent while it is disabled, or when no time fits any more. */
  readonly nextAt?: Date | undefined;
  /** The slot that ran last. */
  readonly lastAt?: Date | undefined;
  readonly createdAt: Date;
  readonly createdBy: string;
}

export type NewCron = Omit<Cron, 'id' | 'lastAt'>;

/** What changes of a cron; an absent key stays as it is, `null` clears. */
export interface CronChange {
  readonly name?: string | undefined;
  readonly expression?: string | undefined;
  readonly timeZone?: string | undefined;
  readonly branch?: string | undefined;
  readonly isEnabled?: boolean | undefined;
  readonly nextAt?: Date | null | undefined;
  readonly lastAt?: Date | undefined;
}

/** How many a project may have. */
export const cronsPerProject = 50;

/** Who started what a cron starts. No person can have this name. */
export const cronPersonName = '@cron';

export interface CronStore {
  find(id: number): Promise<Cron | undefined>;
  findByName(projectId: number, name: string): Promise<Cron | undefined>;
  /** By name. */
  list(projectId: number): Promise<readonly Cron[]>;
  /** `undefined` when the name is taken. */
  create(cron: NewCron): Promise<Cron | undefined>;
  /** False, and nothing changed, when the new name is taken. */
  update(id: number, change: CronChange): Promise<boolean>;
  remove(id: number): Promise<void>;
  /** Enabled ones whose next slot has come by `at`, the longest due first. */
  listDue(at: Date, limit: number): Promise<readonly Cron[]>;
  /** Enabled ones whose next slot comes after `at`: those that a clock which was set back may have left behind. */
  listAhead(at: Date): Promise<readonly Cron[]>;
  /** The first of all next slots. */
  firstNextAt(): Promise<Date | undefined>;
}
