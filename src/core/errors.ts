/** What went wrong, in the words every surface understands: HTTP status, exit code and UI colour follow from it. */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'precondition-failed'
  | 'too-large'
  | 'rule'
  | 'rate-limited'
  | 'unavailable';

/**
 * Every error a user can meet. A code is permanent: retire it, never rename it.
 * docs/reference/errors.md is generated from this table, and a test fails when a code has no entry.
 */
export const errorCatalogue = {
  REQUEST_INVALID: { kind: 'invalid', hint: 'Compare the request with the reference page of this operation.' },
  REQUEST_TOO_LARGE: { kind: 'too-large', hint: 'Send less at once; the message names the limit.' },
  ROUTE_NOT_FOUND: { kind: 'not-found', hint: 'Check the address; /api/v1/openapi.json lists what there is.' },
  IDEMPOTENCY_KEY_REUSED: { kind: 'rule', hint: 'Use a new Idempotency-Key for a different request.' },
  IDEMPOTENCY_IN_FLIGHT: { kind: 'conflict', hint: 'Wait for the first request to end, then ask again.' },
  PRECONDITION_FAILED: { kind: 'precondition-failed', hint: 'Fetch the resource again and repeat the change on it.' },
  CROSS_SITE_REQUEST: { kind: 'forbidden', hint: 'Open Gantry by its own address and try again from there.' },
  RATE_LIMITED: { kind: 'rate-limited', hint: 'Wait as long as Retry-After says.' },
  SERVER_BUSY: { kind: 'unavailable', hint: 'Wait a moment and try again; nothing was lost.' },

  SIGN_IN_REQUIRED: { kind: 'unauthenticated', hint: 'Sign in, or send a token: Authorization: Bearer gty_…' },
  CREDENTIALS_INVALID: {
    kind: 'unauthenticated',
    hint: 'Check the name and the password; an admin can set a new one.',
  },
  TOKEN_INVALID: { kind: 'unauthenticated', hint: 'The token is mistyped, expired or revoked: create a new one.' },
  ACCESS_DENIED: { kind: 'forbidden', hint: 'Ask an admin of the project for the role that the message names.' },
  SCOPE_MISSING: { kind: 'forbidden', hint: 'Create a token with the scope that the message names.' },
  SETUP_DONE: { kind: 'conflict', hint: 'Sign in instead: this Gantry already has an admin.' },
  SETUP_LINK_INVALID: { kind: 'forbidden', hint: 'Use the newest link that the server printed at its start.' },

  PASSWORD_LINK_INVALID: { kind: 'forbidden', hint: 'Ask an admin of this Gantry for a new link.' },
  DEVICE_CODE_INVALID: { kind: 'not-found', hint: 'Compare it with the terminal, or start anew: gantry login' },
  DEVICE_LOGIN_REFUSED: { kind: 'forbidden', hint: 'If that was not meant, start anew: gantry login' },

  PERSON_NOT_FOUND: { kind: 'not-found', hint: 'Check the spelling of the name.' },
  PERSON_EXISTS: { kind: 'conflict', hint: 'Choose another name: people and organisations share one list of names.' },
  NAME_INVALID: {
    kind: 'invalid',
    hint: 'Use 1 to 63 of a-z, A-Z, 0-9, ".", "_" and "-", beginning with a letter or a digit.',
  },
  NAME_RESERVED: { kind: 'rule', hint: 'Choose another name: this one is, or will be, an address of Gantry itself.' },
  PASSWORD_WEAK: { kind: 'rule', hint: 'Use at least 10 characters that are not the name itself.' },
  ORGANISATION_NOT_FOUND: { kind: 'not-found', hint: 'Check the spelling of the name.' },
  LAST_OWNER: { kind: 'rule', hint: 'Make somebody else owner first.' },
  TOKEN_NOT_FOUND: { kind: 'not-found', hint: 'List your tokens to see which exist.' },
  SESSION_NOT_FOUND: { kind: 'not-found', hint: 'It may have ended already.' },
  MEMBER_NOT_FOUND: { kind: 'not-found', hint: 'List the members to see who they are.' },

  PARAMETER_INVALID: {
    kind: 'rule',
    hint: 'Give the parameters that the pipeline file names under `parameters:`, each a value that it may have.',
  },

  PROJECT_NOT_FOUND: { kind: 'not-found', hint: 'List the projects to see those you may see.' },
  PROJECT_EXISTS: { kind: 'conflict', hint: 'Choose another name, or use the project that is there.' },
  PROJECT_ARCHIVED: { kind: 'rule', hint: 'Unarchive the project in its settings first.' },
  REF_NOT_FOUND: { kind: 'not-found', hint: 'List branches and tags to see which exist.' },
  PATH_NOT_FOUND: { kind: 'not-found', hint: 'Check the path at this commit.' },
  BRANCH_EXISTS: { kind: 'conflict', hint: 'Choose another name for the branch, or commit to the one that is there.' },
  COMMIT_CONFLICT: {
    kind: 'conflict',
    hint: 'Nothing was changed. Read the files anew and repeat the change on them, or commit to a new branch.',
  },
  COMMIT_INVALID: { kind: 'invalid', hint: 'The message names the path or the branch and what is wrong with it.' },
  NOTHING_TO_COMMIT: { kind: 'rule', hint: 'Change a file first.' },
  PUSH_REFUSED: { kind: 'rule', hint: 'The message names each reference and the rule that refused it.' },
  GIT_FAILED: { kind: 'unavailable', hint: 'Look at the server log for what git said.' },
  GIT_REQUEST_INVALID: { kind: 'invalid', hint: 'Use a git client that speaks the smart HTTP protocol.' },

  PIPELINE_NOT_FOUND: { kind: 'not-found', hint: 'List the pipelines of the project to see which exist.' },
  PIPELINE_ALREADY_FINISHED: { kind: 'conflict', hint: 'Rerun the pipeline instead of cancelling it.' },
  PIPELINE_NOT_FINISHED: { kind: 'conflict', hint: 'Wait for its end, or cancel it first.' },
  NOTHING_TO_RERUN: { kind: 'conflict', hint: 'Rerun the whole pipeline instead.' },
  PIPELINE_FILE_MISSING: { kind: 'rule', hint: 'Commit a .gantry.yml, .woodpecker/ or .drone.yml first.' },
  PIPELINE_FILE_INVALID: {
    kind: 'rule',
    hint: 'Mend the file at the line named; gantry lint checks it before a push.',
  },
  PIPELINE_FILE_TOO_LARGE: { kind: 'too-large', hint: 'A pipeline file may have 256 KiB.' },
  NO_PIPELINE_MATCHED: { kind: 'rule', hint: 'Ask why: the trace names the rule that decided.' },
  EVENT_SWITCHED_OFF: { kind: 'rule', hint: 'An admin of the project can switch it on in its settings.' },
  PULL_REQUEST_NOT_FOUND: {
    kind: 'not-found',
    hint: 'List the pull requests of the project to see which exist: gantry pull-request list',
  },
  PULL_REQUEST_EXISTS: { kind: 'conflict', hint: 'Push to its source branch: the open pull request follows it.' },
  PULL_REQUEST_INVALID: { kind: 'invalid', hint: 'Choose two different branches, the source with commits of its own.' },
  PULL_REQUEST_CLOSED: { kind: 'conflict', hint: 'Reopen the pull request first.' },
  PULL_REQUEST_LIMIT: { kind: 'rule', hint: 'Close a pull request that is not needed any more.' },
  PIPELINE_UNTRUSTED: {
    kind: 'rule',
    hint: 'Merge the pull request first: what its target branch then runs can be promoted.',
  },
  APPROVAL_MISSING: { kind: 'rule', hint: 'A maintainer of the project can approve it: gantry pipeline approve' },
  APPROVAL_NOT_FOUND: { kind: 'not-found', hint: 'List what waits for an approval: gantry pipeline approvals' },
  APPROVAL_DECIDED: { kind: 'conflict', hint: 'View the pipeline to see who decided, and how.' },
  APPROVAL_OUTDATED: {
    kind: 'conflict',
    hint: 'Look at the newest pipeline of the pull request and decide about that.',
  },
  STEP_NOT_FOUND: { kind: 'not-found', hint: 'View the pipeline to see its steps.' },
  LOG_NOT_FOUND: {
    kind: 'not-found',
    hint: 'A step that did not start has no log; `gantry pipeline why` tells why it did not.',
  },
  WORKFLOW_NOT_FOUND: { kind: 'not-found', hint: 'View the pipeline to see its workflows.' },
  ARTIFACT_NOT_FOUND: { kind: 'not-found', hint: 'List the artifacts of the pipeline: gantry artifact list' },
  CACHE_NOT_FOUND: { kind: 'not-found', hint: 'List the caches of the project: gantry cache list' },
  CRON_NOT_FOUND: { kind: 'not-found', hint: 'List the crons of the project to see which exist: gantry cron list' },
  CRON_EXISTS: { kind: 'conflict', hint: 'Choose another name, or change the cron that is there.' },
  CRON_INVALID: {
    kind: 'invalid',
    hint: 'Write five fields (minute, hour, day of month, month, weekday), or @hourly, @daily, @weekly, @monthly, @yearly.',
  },
  CRON_LIMIT: { kind: 'rule', hint: 'Remove a cron that is not needed any more.' },
  WEBHOOK_NOT_FOUND: { kind: 'not-found', hint: 'List the webhooks to see which exist: gantry webhook list' },
  WEBHOOK_EXISTS: { kind: 'conflict', hint: 'Choose another name, or change the webhook that is there.' },
  WEBHOOK_INVALID: { kind: 'invalid', hint: 'Mend what the message names; the guide page on webhooks has examples.' },
  WEBHOOK_LIMIT: {
    kind: 'rule',
    hint: 'Remove a webhook that is not needed any more, or wait until its queue is shorter.',
  },
  WEBHOOK_REFUSED: {
    kind: 'unauthenticated',
    hint: 'Compare address, secret, clock and headers with the page of the incoming webhook.',
  },
  WEBHOOK_DISABLED: { kind: 'rule', hint: 'A maintainer of the project can switch the webhook on in its settings.' },
  DELIVERY_NOT_FOUND: { kind: 'not-found', hint: 'Deliveries are kept for 14 days: list them to see which exist.' },
  SECRET_NOT_GIVEN: { kind: 'not-found', hint: 'Secrets stay on the server: their values are given here.' },
  SECRET_NOT_FOUND: { kind: 'not-found', hint: 'List the secrets of the project to see which exist.' },
  SECRET_NAME_INVALID: { kind: 'invalid', hint: 'Use letters, digits, "_", "-" and ".", beginning with a letter.' },
  REGISTRY_NOT_FOUND: { kind: 'not-found', hint: 'List the registries to see which have a login.' },
  GIT_LOGIN_NOT_FOUND: { kind: 'not-found', hint: 'List the logins for git hosts to see which exist.' },
  VARIABLE_NOT_FOUND: { kind: 'not-found', hint: 'List the variables to see which exist.' },
  VARIABLE_NAME_INVALID: {
    kind: 'invalid',
    hint: 'Use letters, digits and "_", not beginning with a digit, nor with GANTRY_, DRONE_ or CI_.',
  },
  SECRET_KEY_WRONG: { kind: 'unavailable', hint: 'Give the server the key file that the secrets were written with.' },

  IMAGE_NOT_FOUND: { kind: 'not-found', hint: 'Check the name and tag, and that its registry can be reached.' },
  IMAGE_INVALID: { kind: 'rule', hint: 'Push the image again: what its registry served is damaged or hostile.' },
  IMAGE_PULL_FAILED: { kind: 'unavailable', hint: 'Check that the registry is up and that the credentials are right.' },
  CHECKOUT_REFUSED: {
    kind: 'rule',
    hint: 'Change the submodule’s URL, or give the access that the message names.',
  },
  CHECKOUT_UNAVAILABLE: { kind: 'unavailable', hint: 'Try again later: the host of the repository did not serve it.' },
  RUNTIME_UNAVAILABLE: { kind: 'unavailable', hint: 'Run gantry doctor: it names what the host lacks.' },

  SERVER_UNREACHABLE: { kind: 'unavailable', hint: 'Check the address and that the server runs: gantry serve.' },
  RUNNER_PRESENT: { kind: 'conflict', hint: 'Nothing needs to be done: the server looks after its runner by itself.' },
  USAGE_WRONG: { kind: 'invalid', hint: 'Add --help to the command to see how it is used.' },
  INPUT_NEEDED: { kind: 'invalid', hint: 'Give the answer with the flag that the message names.' },

  DATA_FOLDER_IN_USE: { kind: 'conflict', hint: 'Stop the other server, or give this one another data folder.' },
  SCHEMA_TOO_NEW: { kind: 'conflict', hint: 'Start the newer Gantry that wrote this database, or restore a backup.' },
  CONFIG_INVALID: { kind: 'invalid', hint: 'gantry config shows every value and where it came from.' },
  DATABASE_FAILED: {
    kind: 'unavailable',
    hint: 'Check the disk and the database: what was acknowledged is safe, this request was not.',
  },
} as const satisfies Record<string, { kind: ErrorKind; hint: string }>;

export type ErrorCode = keyof typeof errorCatalogue;

/** An error we chose to raise. Anything else that is thrown is a bug and is answered with a bare 500. */
export class GantryError extends Error {
  override readonly name = 'GantryError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: Record<string, unknown> } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get kind(): ErrorKind {
    return errorCatalogue[this.code].kind;
  }

  get hint(): string {
    return errorCatalogue[this.code].hint;
  }
}
