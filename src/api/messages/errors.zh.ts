import type { ErrorTexts } from './errors.ts';

const named =
  (before: string, key: string, after: string) =>
  (details: Readonly<Record<string, unknown>>): string | undefined =>
    typeof details[key] === 'string' ? `${before}“${details[key]}”${after}` : undefined;

export const errorsZh: ErrorTexts = {
  REQUEST_INVALID: { title: '请求格式不正确', hint: '请对照此操作的参考文档检查请求内容。' },
  REQUEST_TOO_LARGE: { title: '请求内容过大', hint: '请减少单次发送的内容；提示中写明了上限。' },
  ROUTE_NOT_FOUND: {
    title: '没有这个地址',
    hint: '请检查地址；/api/v1/openapi.json 列出了所有可用的地址。',
    detail: named('找不到地址', 'path', '。'),
  },
  IDEMPOTENCY_KEY_REUSED: { title: '幂等键已用于另一个请求', hint: '不同的请求请使用新的 Idempotency-Key。' },
  IDEMPOTENCY_IN_FLIGHT: { title: '相同的请求正在处理中', hint: '请等第一个请求结束后再试。' },
  PRECONDITION_FAILED: { title: '内容已被他人修改', hint: '请重新获取该资源，然后在新版本上再次修改。' },
  CROSS_SITE_REQUEST: { title: '已拒绝来自其他网站的请求', hint: '请直接用 Gantry 自己的地址打开页面后再操作。' },
  RATE_LIMITED: {
    title: '请求过于频繁',
    hint: '请按 Retry-After 给出的时间等待后再试。',
    detail: (details) =>
      typeof details['retryAfterMs'] === 'number'
        ? `请求过于频繁：请在 ${Math.ceil(details['retryAfterMs'] / 1_000)} 秒后再试。`
        : undefined,
  },
  SERVER_BUSY: { title: '服务器繁忙', hint: '请稍后再试；没有丢失任何数据。' },

  SIGN_IN_REQUIRED: { title: '需要登录', hint: '请登录，或发送令牌：Authorization: Bearer gty_…' },
  CREDENTIALS_INVALID: { title: '用户名或密码不正确', hint: '请检查用户名和密码；管理员可以重设密码。' },
  TOKEN_INVALID: { title: '令牌无效', hint: '令牌输入有误、已过期或已被吊销，请创建新的令牌。' },
  ACCESS_DENIED: {
    title: '没有权限',
    hint: '请向项目管理员申请提示中所需的角色。',
    detail: (details) =>
      typeof details['action'] === 'string' && typeof details['needs'] === 'string'
        ? `没有执行“${details['action']}”的权限，需要：${details['needs']}。`
        : undefined,
  },
  SCOPE_MISSING: {
    title: '令牌的权限范围不足',
    hint: '请创建带有提示中所需范围的令牌。',
    detail: named('令牌缺少权限范围', 'needs', '。'),
  },
  SETUP_DONE: { title: '已完成初始设置', hint: '此 Gantry 已有管理员，请直接登录。' },
  SETUP_LINK_INVALID: { title: '设置链接无效', hint: '请使用服务器启动时打印的最新链接。' },
  PASSWORD_LINK_INVALID: {
    title: '链接无效',
    hint: '请向管理员索取新的链接。',
    detail: () => '无法设置密码：链接已被使用、已被替换或已过期。',
  },
  DEVICE_CODE_INVALID: {
    title: '代码无效',
    hint: '请与终端中显示的代码核对，或重新运行 gantry login。',
    detail: () => '找不到这次登录：代码有误、已被使用或已过期。',
  },
  DEVICE_LOGIN_REFUSED: {
    title: '登录被拒绝',
    hint: '如果不是本意，请重新运行 gantry login。',
    detail: () => '无法登录：请求已被拒绝。',
  },

  PERSON_NOT_FOUND: { title: '找不到此用户', hint: '请检查用户名的拼写。', detail: named('找不到用户', 'name', '。') },
  PERSON_EXISTS: {
    title: '名称已被占用',
    hint: '请换一个名称：用户与组织共用同一份名称列表。',
    detail: named('名称', 'name', '已被占用。'),
  },
  NAME_INVALID: {
    title: '名称不符合规则',
    hint: '请使用 1 到 63 个字符：a-z、A-Z、0-9、“.”、“_”、“-”，并以字母或数字开头。',
    detail: named('名称', 'name', '不符合规则。'),
  },
  NAME_RESERVED: {
    title: '名称为系统保留',
    hint: '请换一个名称：它是或将会是 Gantry 自己的地址。',
    detail: named('名称', 'name', '为系统保留。'),
  },
  PASSWORD_WEAK: { title: '密码过于简单', hint: '请使用至少 10 个字符，且不要与用户名相同。' },
  ORGANISATION_NOT_FOUND: {
    title: '找不到此组织',
    hint: '请检查名称的拼写。',
    detail: named('找不到组织或用户', 'name', '。'),
  },
  LAST_OWNER: { title: '不能移除最后一位所有者', hint: '请先指定另一位所有者。' },
  TOKEN_NOT_FOUND: { title: '找不到此令牌', hint: '请列出您的令牌查看现有的令牌。' },
  SESSION_NOT_FOUND: { title: '找不到此会话', hint: '它可能已经结束。' },
  MEMBER_NOT_FOUND: {
    title: '找不到此成员',
    hint: '请列出成员查看有哪些人。',
    detail: named('找不到成员', 'name', '。'),
  },

  PROJECT_NOT_FOUND: {
    title: '找不到此项目',
    hint: '请列出您可以查看的项目。',
    detail: named('找不到项目', 'project', '，或者您无权查看。'),
  },
  PROJECT_EXISTS: {
    title: '项目已存在',
    hint: '请换一个名称，或使用已有的项目。',
    detail: named('项目', 'project', '已存在。'),
  },
  PARAMETER_INVALID: {
    title: '参数不符合流水线文件的要求',
    hint: '只给出流水线文件 `parameters:` 中的参数，并使用允许的值。',
  },
  PROJECT_ARCHIVED: {
    title: '项目已归档',
    hint: '请先在项目设置中取消归档。',
    detail: named('项目', 'project', '已归档，不能更改。'),
  },
  REF_NOT_FOUND: { title: '找不到此分支、标签或提交', hint: '请列出分支和标签查看有哪些。' },
  PATH_NOT_FOUND: { title: '此提交中没有这个路径', hint: '请检查该提交中的路径。' },
  BRANCH_EXISTS: { title: '分支已存在', hint: '请换一个分支名，或直接提交到已有的分支。' },
  COMMIT_CONFLICT: {
    title: '分支已有新的提交',
    hint: '没有任何内容被更改。请重新读取文件后再修改，或提交到新分支。',
  },
  COMMIT_INVALID: { title: '无法提交', hint: '提示中写明了路径或分支以及问题所在。' },
  NOTHING_TO_COMMIT: { title: '没有可提交的更改', hint: '请先修改文件。' },
  PUSH_REFUSED: { title: '推送被拒绝', hint: '提示中写明了每个引用以及拒绝它的规则。' },
  GIT_FAILED: { title: 'git 执行失败', hint: '请在服务器日志中查看 git 的输出。' },
  GIT_REQUEST_INVALID: { title: 'git 请求不正确', hint: '请使用支持 smart HTTP 协议的 git 客户端。' },

  PIPELINE_NOT_FOUND: { title: '找不到此流水线', hint: '请列出项目的流水线查看有哪些。' },
  PIPELINE_ALREADY_FINISHED: { title: '流水线已结束', hint: '请重新运行流水线，而不是取消它。' },
  PIPELINE_NOT_FINISHED: { title: '流水线尚未结束', hint: '请等待它结束，或先取消它。' },
  NOTHING_TO_RERUN: { title: '没有可重新运行的内容', hint: '请重新运行整条流水线。' },
  PIPELINE_FILE_MISSING: { title: '没有流水线文件', hint: '请先提交 .gantry.yml、.woodpecker/ 或 .drone.yml。' },
  PIPELINE_FILE_INVALID: {
    title: '流水线文件有误',
    hint: '请修正提示中所指的行；gantry lint 可在推送前检查文件。',
  },
  PIPELINE_FILE_TOO_LARGE: { title: '流水线文件过大', hint: '流水线文件最大为 256 KiB。' },
  NO_PIPELINE_MATCHED: { title: '没有匹配的流水线', hint: '请查看原因：决策记录中写明了是哪条规则决定的。' },
  EVENT_SWITCHED_OFF: { title: '此事件已关闭', hint: '项目管理员可以在项目设置中打开它。' },
  PULL_REQUEST_NOT_FOUND: {
    title: '没有这个合并请求',
    hint: '请列出项目的合并请求：gantry pull-request list',
  },
  PULL_REQUEST_EXISTS: { title: '合并请求已存在', hint: '向它的源分支推送即可：打开的合并请求会跟随更新。' },
  PULL_REQUEST_INVALID: { title: '合并请求不成立', hint: '请选择两个不同的分支，且源分支有自己的提交。' },
  PULL_REQUEST_CLOSED: { title: '合并请求已关闭', hint: '请先重新打开这个合并请求。' },
  PULL_REQUEST_LIMIT: { title: '合并请求过多', hint: '请关闭不再需要的合并请求。' },
  PIPELINE_UNTRUSTED: {
    title: '流水线不受信任',
    hint: '请先合并这个合并请求：目标分支随后运行的流水线可以晋级。',
  },
  APPROVAL_MISSING: { title: '缺少批准', hint: '项目的维护者可以批准：gantry pipeline approve' },
  APPROVAL_NOT_FOUND: { title: '没有待批准的内容', hint: '请列出等待批准的流水线：gantry pipeline approvals' },
  APPROVAL_DECIDED: { title: '已有人作出决定', hint: '请查看流水线，了解谁作出了什么决定。' },
  APPROVAL_OUTDATED: { title: '内容已更新', hint: '请查看合并请求最新的流水线，并对它作出决定。' },
  STEP_NOT_FOUND: { title: '找不到此步骤', hint: '请查看流水线了解它的步骤。' },
  LOG_NOT_FOUND: { title: '没有日志', hint: '未开始的步骤没有日志；`gantry pipeline why` 会说明原因。' },
  WORKFLOW_NOT_FOUND: { title: '没有这个工作流', hint: '请查看流水线，确认其中有哪些工作流。' },
  ARTIFACT_NOT_FOUND: { title: '没有这个产物', hint: '请列出该流水线的产物：gantry artifact list' },
  CACHE_NOT_FOUND: { title: '没有这个缓存', hint: '请列出项目的缓存：gantry cache list' },
  CRON_NOT_FOUND: { title: '没有这个定时任务', hint: '请列出项目的定时任务，确认有哪些：gantry cron list' },
  CRON_EXISTS: { title: '定时任务名称已被使用', hint: '请换一个名称，或修改已有的定时任务。' },
  CRON_INVALID: {
    title: '定时表达式无效',
    hint: '请填写五个字段（分、时、日、月、星期），或 @hourly、@daily、@weekly、@monthly、@yearly。',
  },
  CRON_LIMIT: { title: '定时任务过多', hint: '请删除不再需要的定时任务。' },
  WEBHOOK_NOT_FOUND: { title: '没有这个 Webhook', hint: '请列出 Webhook，确认有哪些：gantry webhook list' },
  WEBHOOK_EXISTS: { title: 'Webhook 名称已被使用', hint: '请换一个名称，或修改已有的 Webhook。' },
  WEBHOOK_INVALID: { title: 'Webhook 设置无效', hint: '请修正提示中指出的内容；Webhook 指南中有示例。' },
  WEBHOOK_LIMIT: { title: 'Webhook 数量或队列已达上限', hint: '请删除不再需要的 Webhook，或等队列变短后再试。' },
  WEBHOOK_REFUSED: {
    title: '已拒绝 Webhook 请求',
    hint: '请对照该入站 Webhook 的设置，检查地址、密钥、时钟和请求头。',
  },
  WEBHOOK_DISABLED: { title: 'Webhook 已停用', hint: '项目的维护者可以在设置中启用它。' },
  DELIVERY_NOT_FOUND: { title: '没有这条投递记录', hint: '投递记录保留 14 天；请列出记录，确认有哪些。' },
  SECRET_NOT_GIVEN: { title: '未给出密钥', hint: '密钥保存在服务器上，在这里需要给出它们的值。' },
  SECRET_NOT_FOUND: {
    title: '找不到此密钥',
    hint: '请列出项目的密钥查看有哪些。',
    detail: named('找不到密钥', 'name', '。'),
  },
  SECRET_NAME_INVALID: {
    title: '密钥名称不符合规则',
    hint: '请使用字母、数字、“_”、“-”、“.”，并以字母开头。',
    detail: named('密钥名称', 'name', '不符合规则。'),
  },
  REGISTRY_NOT_FOUND: {
    title: '找不到此镜像仓库的登录信息',
    hint: '请列出镜像仓库，查看哪些有登录信息。',
    detail: named('找不到镜像仓库', 'registry', '的登录信息。'),
  },
  GIT_LOGIN_NOT_FOUND: { title: '没有该 Git 登录信息', hint: '请查看已有的 Git 主机登录信息列表。' },
  VARIABLE_NOT_FOUND: {
    title: '找不到此变量',
    hint: '请列出变量查看有哪些。',
    detail: named('找不到变量', 'name', '。'),
  },
  VARIABLE_NAME_INVALID: {
    title: '变量名不可用',
    hint: '请使用字母、数字和 “_”，不能以数字开头，也不能以 GANTRY_、DRONE_ 或 CI_ 开头。',
    detail: named('不能使用变量名', 'name', '。'),
  },
  SECRET_KEY_WRONG: {
    title: '密钥文件不匹配',
    hint: '请为服务器提供写入这些密钥时所用的密钥文件。',
    detail: named('无法用密钥文件', 'path', '解开已保存的密钥。'),
  },

  IMAGE_NOT_FOUND: { title: '找不到此镜像', hint: '请检查名称和标签，并确认其镜像仓库可以访问。' },
  IMAGE_INVALID: { title: '镜像内容无效', hint: '请重新推送镜像：仓库提供的内容已损坏或含有恶意内容。' },
  IMAGE_PULL_FAILED: { title: '拉取镜像失败', hint: '请检查镜像仓库是否可用，以及凭据是否正确。' },
  CHECKOUT_REFUSED: { title: '无法检出', hint: '请修改子模块的 URL，或授予消息中提到的访问权限。' },
  CHECKOUT_UNAVAILABLE: { title: '代码仓库不可用', hint: '请稍后重试：仓库所在的主机没有提供内容。' },
  RUNTIME_UNAVAILABLE: { title: '运行环境不可用', hint: '请运行 gantry doctor：它会列出主机缺少的内容。' },

  SERVER_UNREACHABLE: { title: '无法连接服务器', hint: '请检查地址，并确认服务器正在运行：gantry serve。' },
  RUNNER_PRESENT: { title: '已有运行器', hint: '无需任何操作：服务器会自行照管它的运行器。' },
  USAGE_WRONG: { title: '命令用法不正确', hint: '请在命令后加 --help 查看用法。' },
  INPUT_NEEDED: { title: '需要输入', hint: '请用提示中给出的选项提供答案。' },

  DATA_FOLDER_IN_USE: { title: '数据目录正在被使用', hint: '请停止另一个服务器，或为此服务器指定其他数据目录。' },
  SCHEMA_TOO_NEW: { title: '数据库版本过新', hint: '请启动写入此数据库的较新版 Gantry，或恢复备份。' },
  CONFIG_INVALID: { title: '配置有误', hint: 'gantry config 会显示每个值及其来源。' },
  DATABASE_FAILED: { title: '数据库出错', hint: '请检查磁盘和数据库：已确认的内容是安全的，这次请求没有生效。' },
};
