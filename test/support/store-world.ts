import type { Event } from '../../src/core/event.ts';
import type { Person } from '../../src/core/person.ts';
import type { NewPipeline } from '../../src/core/pipeline.ts';
import type { Project } from '../../src/core/project.ts';
import type { Visibility } from '../../src/core/visibility.ts';
import type { Store } from '../../src/store/open-store.ts';

/** When everything in a test's little world was made, unless the test says otherwise. */
export const someTime = new Date('2026-03-01T08:00:00.000Z');

export function createPerson(store: Store, name: string, isSiteAdmin = false): Promise<Person> {
  return store.write(({ people }) =>
    people.create({
      name,
      displayName: name,
      email: `${name.toLowerCase()}@example.org`,
      isSiteAdmin,
      passwordHash: '$scrypt$',
      createdAt: someTime,
    }),
  );
}

export function createProject(
  store: Store,
  ownerId: number,
  name: string,
  options: { readonly visibility?: Visibility; readonly createdAt?: Date } = {},
): Promise<Project> {
  return store.write(({ projects }) =>
    projects.create({
      ownerId,
      name,
      description: '',
      visibility: options.visibility ?? 'private',
      defaultBranch: 'main',
      protectedRefs: ['refs/heads/main'],
      stepTimeoutMs: 3_600_000,
      createdAt: options.createdAt ?? someTime,
    }),
  );
}

export async function createEvent(store: Store, projectId: number, key: string): Promise<Event> {
  const { event } = await store.write(({ events }) =>
    events.create({
      projectId,
      kind: 'push',
      key,
      ref: 'refs/heads/main',
      before: '0'.repeat(40),
      after: 'a'.repeat(40),
      personName: 'mei',
      parameters: {},
      createdAt: someTime,
    }),
  );
  return event;
}

export function newPipeline(event: Event, expectedNumber: number, more: Partial<NewPipeline> = {}): NewPipeline {
  return {
    projectId: event.projectId,
    expectedNumber,
    eventId: event.id,
    event: event.kind,
    status: 'queued',
    ref: event.ref,
    branch: 'main',
    commit: event.after,
    before: event.before,
    message: 'fix(cart): round totals per currency\n\nDetails.',
    authorName: '李梅',
    authorEmail: 'mei@example.org',
    personName: 'mei',
    parameters: {},
    path: '.gantry.yml',
    dialect: 'gantry',
    createdAt: someTime,
    ...more,
  };
}
