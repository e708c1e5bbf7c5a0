export interface Person {
  /** The owner id: people and organisations count together. */
  readonly id: number;
  readonly name: string;
  readonly displayName: string;
  readonly email: string;
  readonly isSiteAdmin: boolean;
  /** A person who may no longer sign in keeps their name in the record. */
  readonly disabledAt?: Date | undefined;
  readonly createdAt: Date;
  /** When a session or token of theirs was last used, to a minute; absent = never. */
  readonly lastSeenAt?: Date | undefined;
}

/** PHC string of a password (scrypt). Never leaves the store and the sign-in code. */
export interface PersonCredentials {
  readonly personId: number;
  readonly passwordHash: string;
}

export interface NewPerson {
  readonly name: string;
  readonly displayName: string;
  readonly email: string;
  readonly isSiteAdmin: boolean;
  readonly passwordHash: string;
  readonly createdAt: Date;
}

/** Names are found whatever their case; `create` refuses a name that is taken with PERSON_EXISTS. */
export interface PersonStore {
  find(id: number): Promise<Person | undefined>;
  findByName(name: string): Promise<Person | undefined>;
  findCredentials(name: string): Promise<PersonCredentials | undefined>;
  count(): Promise<number>;
  list(): Promise<readonly Person[]>;
  create(person: NewPerson): Promise<Person>;
  /** Changes all but the name, and when they were seen. */
  update(person: Person): Promise<void>;
  markSeen(personId: number, at: Date): Promise<void>;
  setPasswordHash(personId: number, passwordHash: string): Promise<void>;
}
