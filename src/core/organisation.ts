import type { Role } from './permission.ts';

export interface Organisation {
  readonly id: number;
  readonly name: string;
  readonly displayName: string;
  readonly createdAt: Date;
}

export interface OrganisationMember {
  readonly personId: number;
  readonly personName: string;
  readonly role: Role;
}

/** `create` refuses a taken name with PERSON_EXISTS. A role on an organisation counts for all its projects. */
export interface OrganisationStore {
  find(id: number): Promise<Organisation | undefined>;
  findByName(name: string): Promise<Organisation | undefined>;
  list(): Promise<readonly Organisation[]>;
  create(organisation: { name: string; displayName: string; createdAt: Date }): Promise<Organisation>;
  members(organisationId: number): Promise<readonly OrganisationMember[]>;
  /** `undefined` removes the person. */
  setRole(organisationId: number, personId: number, role: Role | undefined): Promise<void>;
}
