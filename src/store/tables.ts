import type { ColumnType, Generated } from 'kysely';

/** Milliseconds since 1970 in the database, a `Date` on the way in. */
type Instant = ColumnType<number, Date, Date>;
type MaybeInstant = ColumnType<number | null, Date | null | undefined, Date | null | undefined>;
/** 0 or 1 in the database. */
type Flag = ColumnType<number, boolean, boolean>;
/** JSON, written and read by the store of the noun. */
type Json = string;
type MaybeText = ColumnType<string | null, string | null | undefined, string | null | undefined>;
type MaybeFlag = ColumnType<number | null, boolean | null | undefined, boolean | null | undefined>;
type MaybeNumber = ColumnType<number | null, number | null | undefined, number | null | undefined>;

/** Every table as the queries see it. The migrations make them; a store test compares the two. */
export interface Tables {
  owner: {
    id: Generated<number>;
    kind: 'person' | 'organisation';
    name: string;
    /** The name in lower case: unique over people and organisations. */
    name_key: string;
    display_name: string;
    created_at: Instant;
  };
  person: {
    owner_id: number;
    email: string;
    is_site_admin: Flag;
    disabled_at: MaybeInstant;
    password_hash: string;
    last_seen_at: MaybeInstant;
  };
  organisation_member: { organisation_id: number; person_id: number; role: string };
  token: {
    id: string;
    sha256: string;
    person_id: number;
    name: string;
    prefix: string;
    scopes: Json;
    project_ids: MaybeText;
    created_at: Instant;
    expires_at: MaybeInstant;
    last_used_at: MaybeInstant;
  };
  session: {
    id: string;
    sha256: string;
    person_id: number;
    created_at: Instant;
    last_used_at: Instant;
    expires_at: Instant;
    user_agent: string;
    remote_address: string;
  };
  device_login: {
    device_sha256: string;
    user_sha256: string;
    host_name: string;
    scopes: Json;
    expires_in_days: MaybeNumber;
    remote_address: string;
    created_at: Instant;
    expires_at: Instant;
    interval_ms: number;
    polled_at: MaybeInstant;
    decided_by: MaybeNumber;
    is_approved: MaybeFlag;
  };
  password_link: { person_id: number; sha256: string; created_at: Instant; expires_at: Instant };
  rate_limit: { key: string; level: number; updated_at: Instant; full_at: Instant };
  audit: {
    sequence: number;
    at: Instant;
    actor: string;
    action: string;
    subject: string;
    remote_address: string;
    request_id: string;
    details: Json;
    previous_hash: string;
    hash: string;
    /** What the record is about, whatever it is called now; NULL where it is about no project. */
    project_id: MaybeNumber;
  };
  project: {
    id: Generated<number>;
    owner_id: number;
    name: string;
    name_key: string;
    description: string;
    visibility: string;
    default_branch: string;
    protected_refs: Json;
    step_timeout_ms: number;
    pipeline_settings: ColumnType<string, string | undefined, string>;
    created_at: Instant;
    archived_at: MaybeInstant;
    /** When a pipeline was last made, or the project itself: what lists are ordered by. */
    activity_at: Instant;
    /** Number of the newest pipeline. */
    last_number: number;
  };
  project_member: { project_id: number; person_id: number; role: string };
  event: {
    id: Generated<number>;
    project_id: number;
    kind: string;
    key: string;
    ref: string;
    before: string;
    after: string;
    person_name: string;
    person_id: MaybeNumber;
    token_project_ids: MaybeText;
    parameters: Json;
    target: MaybeText;
    parent_number: MaybeNumber;
    cron: MaybeText;
    webhook: MaybeText;
    push_options: MaybeText;
    ignores_caches: MaybeNumber;
    ignores_reuse: MaybeNumber;
    pull_request: MaybeText;
    trust: MaybeText;
    created_at: Instant;
    planned_at: MaybeInstant;
    pipeline_id: MaybeNumber;
    trace: MaybeText;
  };
  artifact: {
    id: Generated<number>;
    project_id: number;
    pipeline_id: number;
    workflow_id: number;
    attempt: number;
    step: string;
    name: string;
    digest: string;
    size_bytes: number;
    entries: number;
    created_at: Instant;
    expires_at: Instant;
  };
  cache_use: {
    project_id: number;
    key: string;
    hits: number;
    misses: number;
    used_at: Instant;
  };
  cron: {
    id: Generated<number>;
    project_id: number;
    name: string;
    /** The name in lower case: unique in its project. */
    name_key: string;
    expression: string;
    time_zone: string;
    branch: string;
    is_enabled: Flag;
    next_at: MaybeInstant;
    last_at: MaybeInstant;
    created_at: Instant;
    created_by: string;
  };
  push_intent: {
    id: Generated<number>;
    push_id: string;
    project_id: number;
    ref: string;
    before: string;
    after: string;
    person_name: string;
    person_id: MaybeNumber;
    token_project_ids: MaybeText;
    push_options: MaybeText;
    created_at: Instant;
    receive_pid: MaybeNumber;
    receive_started_ticks: MaybeText;
  };
  last_seen_ref: { project_id: number; ref: string; object: string };
  pipeline: {
    id: Generated<number>;
    project_id: number;
    number: number;
    event_id: number;
    event: string;
    status: string;
    ref: string;
    branch: string;
    commit: string;
    before: string;
    message: string;
    author_name: string;
    author_email: string;
    person_name: string;
    parameters: Json;
    target: MaybeText;
    parent_number: MaybeNumber;
    cron: MaybeText;
    error: MaybeText;
    path: string;
    dialect: string;
    pull_request: MaybeText;
    trust: MaybeText;
    approval: MaybeText;
    has_approved_secrets: MaybeFlag;
    created_at: Instant;
    started_at: MaybeInstant;
    finished_at: MaybeInstant;
  };
  pull_request: {
    id: Generated<number>;
    project_id: number;
    number: number;
    title: string;
    source_project_id: number;
    source_branch: string;
    target_branch: string;
    head: string;
    state: string;
    revision: number;
    author_name: string;
    author_id: MaybeNumber;
    created_at: Instant;
    updated_at: Instant;
  };
  approval: {
    id: Generated<number>;
    project_id: number;
    pipeline_id: number;
    pull_request: MaybeNumber;
    head: string;
    configuration: string;
    reason: string;
    state: string;
    has_secrets: Flag;
    decided_by: MaybeText;
    decided_at: MaybeInstant;
    created_at: Instant;
  };
  signing_key: {
    project_id: number;
    key_id: string;
    wrapped_key: Buffer;
    nonce: Buffer;
    ciphertext: Buffer;
    created_at: Instant;
  };
  imported_key: {
    project_id: number;
    key_id: string;
    wrapped_key: Buffer;
    nonce: Buffer;
    ciphertext: Buffer;
    updated_at: Instant;
    updated_by: string;
  };
  workflow: {
    id: Generated<number>;
    pipeline_id: number;
    project_id: number;
    position: number;
    name: string;
    status: string;
    attempt: number;
    token: number;
    runner_id: MaybeText;
    cancelled_by: MaybeText;
    cancel_cause: MaybeText;
    is_cancel_final: Generated<number>;
    retries: Generated<number>;
    queued_at: MaybeInstant;
    started_at: MaybeInstant;
    finished_at: MaybeInstant;
  };
  /** Pipelines that have ended and are to be run again by themselves. */
  pipeline_retry: { pipeline_id: number; due_at: Instant };
  /** Who ran a workflow again last, and how far their token reached. */
  workflow_rerun: { workflow_id: number; person_id: number; token_project_ids: string | null };
  /** Apart from the workflow, so that a change of its status does not write the plan again. */
  workflow_plan: { workflow_id: number; plan: Json };
  step: {
    id: Generated<number>;
    workflow_id: number;
    pipeline_id: number;
    attempt: number;
    position: number;
    name: string;
    status: string;
    outcome: MaybeText;
    reason: MaybeText;
    failure: MaybeText;
    started_at: MaybeInstant;
    running_at: MaybeInstant;
    finished_at: MaybeInstant;
  };
  /** Apart from the pipeline, so that lists of pipelines do not read it. */
  pipeline_facts: { pipeline_id: number; facts: Json };
  pipeline_trace: { id: Generated<number>; pipeline_id: number; at: Instant; entry: Json };
  /** Of a project, or of an organisation: one of the two ids is NULL. */
  secret: {
    id: Generated<number>;
    project_id: MaybeNumber;
    owner_id: MaybeNumber;
    name: string;
    events: Json;
    branches: ColumnType<string, string | undefined, string>;
    images: ColumnType<string, string | undefined, string>;
    is_for_plugins_only: ColumnType<number, boolean | undefined, boolean>;
    pull_requests: ColumnType<string, string | undefined, string>;
    created_at: Instant;
    updated_at: Instant;
    updated_by: string;
    key_id: MaybeText;
    wrapped_key: Buffer | null;
    nonce: Buffer | null;
    ciphertext: Buffer | null;
  };
  variable: {
    id: Generated<number>;
    project_id: MaybeNumber;
    owner_id: MaybeNumber;
    name: string;
    value: string;
    updated_at: Instant;
    updated_by: string;
  };
  git_login: {
    id: Generated<number>;
    project_id: MaybeNumber;
    owner_id: MaybeNumber;
    host: string;
    username: string;
    updated_at: Instant;
    updated_by: string;
    key_id: MaybeText;
    wrapped_key: Buffer | null;
    nonce: Buffer | null;
    ciphertext: Buffer | null;
  };
  registry_login: {
    id: Generated<number>;
    project_id: MaybeNumber;
    owner_id: MaybeNumber;
    registry: string;
    username: string;
    pull_requests: ColumnType<string, string | undefined, string>;
    updated_at: Instant;
    updated_by: string;
    key_id: MaybeText;
    wrapped_key: Buffer | null;
    nonce: Buffer | null;
    ciphertext: Buffer | null;
  };
  webhook: {
    id: Generated<number>;
    project_id: MaybeNumber;
    owner_id: MaybeNumber;
    url: string;
    events: Json;
    is_enabled: Flag;
    disabled_reason: MaybeText;
    header_name: MaybeText;
    since_sequence: number;
    failing_since: MaybeInstant;
    created_at: Instant;
    created_by: string;
    key_id: MaybeText;
    wrapped_key: Buffer | null;
    nonce: Buffer | null;
    ciphertext: Buffer | null;
  };
  webhook_delivery: {
    id: Generated<number>;
    webhook_id: number;
    message_id: string;
    sequence: MaybeNumber;
    event: string;
    body: string;
    status: string;
    tries: number;
    /** NULL once it is settled. */
    next_at: MaybeInstant;
    created_at: Instant;
    tried_at: MaybeInstant;
    duration_ms: MaybeNumber;
    response_status: MaybeNumber;
    response: MaybeText;
    fault: MaybeText;
    message: MaybeText;
  };
  incoming_webhook: {
    id: Generated<number>;
    project_id: number;
    name: string;
    /** The name in lower case: unique in its project. */
    name_key: string;
    branch: string;
    proof: string;
    parameters: Json;
    is_enabled: Flag;
    last_accepted_at: MaybeInstant;
    created_at: Instant;
    created_by: string;
    key_id: MaybeText;
    wrapped_key: Buffer | null;
    nonce: Buffer | null;
    ciphertext: Buffer | null;
  };
  happening: { sequence: Generated<number>; at: Instant; body: Json };
  idempotency: {
    person_id: number;
    operation: string;
    key: string;
    request_hash: string;
    /** The opened store that claimed it: a claim of another one was left by a server that died. */
    holder: string;
    at: Instant;
    status: MaybeNumber;
    body: MaybeText;
  };
  setting: { name: string; value: string };
  schema_version: { version: number; name: string; applied_at: Instant };
}
